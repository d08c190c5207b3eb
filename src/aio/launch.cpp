#include "dspu/aio/detail/launch.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>

namespace dspu::aio::detail {

namespace {

using thread = asio::detail::awaitable_handler<asio::any_io_executor, void>;

thread make_thread(const asio::any_io_executor& ex, main_awaitable body, asio::cancellation_slot slot) {
  const asio::cancellation_state state(slot, asio::enable_terminal_cancellation(),
                                       asio::enable_terminal_cancellation());
  return {std::move(body), ex, slot, state};
}

}  // namespace

void launch_by_post(const asio::any_io_executor& ex, main_awaitable body, asio::cancellation_slot slot) {
  asio::post(ex, [t = make_thread(ex, std::move(body), slot)]() mutable { t.launch(); });
}

void launch_here(const asio::any_io_executor& ex, main_awaitable body, asio::cancellation_slot slot) {
  make_thread(ex, std::move(body), slot).launch();
}

}  // namespace dspu::aio::detail
