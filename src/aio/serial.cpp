#include "dspu/aio/detail/serial.hpp"

#include "dspu/aio/detail/lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace dspu::aio::detail {

bool is_loop_of_one_thread(const asio::any_io_executor& ex) {
  const auto* const loop = ex.target<asio::io_context::executor_type>();
  // The hint has no public reader; in Asio the scheduler is the io_context's implementation.
  return loop != nullptr && asio::use_service<asio::detail::scheduler>(loop->context()).concurrency_hint() == 1;
}

bool is_serial(const asio::any_io_executor& ex) {
  if (ex.target<asio::io_context::executor_type>() != nullptr) return is_loop_of_one_thread(ex);
  return ex.target<asio::strand<asio::any_io_executor>>() != nullptr ||
         ex.target<asio::strand<asio::io_context::executor_type>>() != nullptr ||
         ex.target<asio::strand<asio::thread_pool::executor_type>>() != nullptr || lane_of(ex) != nullptr;
}

asio::any_io_executor make_serial(const asio::any_io_executor& ex) {
  if (is_serial(ex)) return ex;
  return asio::make_strand(ex);
}

}  // namespace dspu::aio::detail
