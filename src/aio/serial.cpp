#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace dspu::aio::detail {

bool is_serial(const asio::any_io_executor& ex) {
  if (const auto* loop = ex.target<asio::io_context::executor_type>()) {
    // The hint has no public reader; in Asio the scheduler is the io_context's implementation.
    return asio::use_service<asio::detail::scheduler>(loop->context()).concurrency_hint() == 1;
  }
  return ex.target<asio::strand<asio::any_io_executor>>() != nullptr ||
         ex.target<asio::strand<asio::io_context::executor_type>>() != nullptr ||
         ex.target<asio::strand<asio::thread_pool::executor_type>>() != nullptr;
}

asio::any_io_executor make_serial(const asio::any_io_executor& ex) {
  if (is_serial(ex)) return ex;
  return asio::make_strand(ex);
}

}  // namespace dspu::aio::detail
