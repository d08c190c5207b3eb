// Starts a coroutine from code that is not one: what co_spawn does, without the frames and hops that nobody here needs.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dspu::aio::detail {

// The outermost frame of a thread of coroutines. It must let nothing out, and keep work on its executor itself.
using main_awaitable = awaitable<asio::detail::awaitable_thread_entry_point>;

// Both need a serial executor; `slot` passes terminal cancellation on to the coroutine.
void launch_by_post(const asio::any_io_executor& ex, main_awaitable body, asio::cancellation_slot slot);
// At once, on this thread, as far as it goes without waiting.
void launch_here(const asio::any_io_executor& ex, main_awaitable body, asio::cancellation_slot slot);

// Calls fn and awaits what it returns. fn lives, and is destroyed, with this.
template <class F, class T>
awaitable<T> call_owned(F fn) {
  co_return co_await fn();
}

}  // namespace dspu::aio::detail
