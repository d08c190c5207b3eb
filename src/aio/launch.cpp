#include "dspu/aio/detail/launch.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>

namespace dspu::aio::detail {

namespace {

asio::cancellation_state every_type_of(asio::cancellation_slot slot) {
  return {slot, asio::enable_total_cancellation(), asio::enable_total_cancellation()};
}

}  // namespace

thread_of_execution::thread_of_execution(const asio::any_io_executor& ex, thread_main body, asio::cancellation_slot slot)
    : awaitable_handler(std::move(body), ex, slot, every_type_of(slot)) {}

thread_of_execution::~thread_of_execution() { const auto never_launched = std::move(bottom_of_stack_); }

void launch(const asio::any_io_executor& ex, bool here, thread_of_execution t) {
  if (here) {
    t.launch();
  } else {
    asio::post(ex, [t = std::move(t)]() mutable { t.launch(); });
  }
}

}  // namespace dspu::aio::detail
