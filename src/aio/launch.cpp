#include "dspu/aio/detail/launch.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>

namespace dspu::aio::detail {

thread_of_execution make_thread(const asio::any_io_executor& ex, thread_main body, asio::cancellation_slot slot) {
  const asio::cancellation_state state(slot, asio::enable_total_cancellation(), asio::enable_total_cancellation());
  return {std::move(body), ex, slot, state};
}

void launch(const asio::any_io_executor& ex, bool here, thread_of_execution t) {
  if (here) {
    t.launch();
  } else {
    asio::post(ex, [t = std::move(t)]() mutable { t.launch(); });
  }
}

}  // namespace dspu::aio::detail
