#include "dspu/aio/detail/deadlines.hpp"

#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace dspu::aio::detail {

std::atomic<std::uint64_t> contexts_ended{0};

asio::any_io_executor base_of(const asio::any_io_executor& ex) {
  if (const auto* l = lane_of(ex)) return base_of(l->base());
  if (const auto* s = ex.target<asio::strand<asio::any_io_executor>>()) return base_of(s->get_inner_executor());
  if (const auto* s = ex.target<asio::strand<asio::io_context::executor_type>>()) return s->get_inner_executor();
  if (const auto* s = ex.target<asio::strand<asio::thread_pool::executor_type>>()) return s->get_inner_executor();
  return asio::prefer(ex, asio::execution::outstanding_work.untracked);
}

}  // namespace dspu::aio::detail
