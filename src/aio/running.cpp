#include "dspu/aio/detail/running.hpp"

#include <boost/asio/io_context.hpp>

namespace dspu::aio::detail {

namespace {

// In Asio the scheduler is what runs an io_context and a thread_pool alike; other contexts have none.
asio::detail::scheduler* scheduler_of(asio::execution_context& context) {
  if (!asio::has_service<asio::detail::scheduler>(context)) return nullptr;
  return &asio::use_service<asio::detail::scheduler>(context);
}

}  // namespace

asio::execution_context& context_of(const asio::any_io_executor& ex) {
  return asio::query(ex, asio::execution::context);
}

bool runs_here(const asio::any_io_executor& ex) {
  auto* const scheduler = scheduler_of(context_of(ex));
  return scheduler != nullptr && scheduler->can_dispatch();
}

bool is_stopped(asio::execution_context& context) { return stop_flag(context).is_set(); }

stop_flag::stop_flag(asio::execution_context& context) : scheduler_(scheduler_of(context)) {}

bool stop_flag::is_set() const { return scheduler_ != nullptr && scheduler_->stopped(); }

}  // namespace dspu::aio::detail
