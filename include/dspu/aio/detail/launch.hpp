// Starting a coroutine as a thread of execution of its own: the one way in which this library does it.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dspu::aio::detail {

// The outermost frame of a thread of coroutines; what it throws goes to the event loop.
using thread_main = awaitable<asio::detail::awaitable_thread_entry_point>;

// A coroutine with an executor and a cancellation slot of its own, which keeps no work on its executor. This is co_spawn
// without its work guards, its detour through the executor, and its defects of 1.81. One that is never launched is destroyed
// where it is.
class thread_of_execution : private asio::detail::awaitable_handler<asio::any_io_executor, void> {
 public:
  // `slot` passes every type of cancellation on. From now on it may be emitted to, on the executor.
  thread_of_execution(const asio::any_io_executor& ex, thread_main body, asio::cancellation_slot slot = {});
  thread_of_execution(thread_of_execution&&) = default;
  ~thread_of_execution();

  // Once: runs it, as far as it goes without waiting.
  using awaitable_handler::launch;
};

// Runs it: `here`, inside the call; or else from a function posted to `ex`.
void launch(const asio::any_io_executor& ex, bool here, thread_of_execution t);

// Calls fn and awaits what it returns. fn lives, and is destroyed, with this.
template <class F, class T>
awaitable<T> call_owned(F fn) {
  co_return co_await fn();
}

}  // namespace dspu::aio::detail
