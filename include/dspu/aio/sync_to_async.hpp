// sync_to_async: calls a blocking function on a thread pool, and awaits it.
//
//   auto text = co_await sync_to_async(read_file, path);              // on the default pool (default_pool.hpp)
//   auto hash = co_await sync_to_async(pool, sha256, std::move(text)); // on a pool or executor of your own
//   auto read = make_async(read_file);                                // co_await read(path)
//
// The function and its arguments are taken by value and live until the function has returned, whatever becomes of the
// caller; move-only ones are fine, std::ref passes a reference. Its result is moved to the caller, its exception is
// rethrown there, and the caller goes on on its own executor. A function that takes a std::stop_token before its
// arguments is given one, which is fired when the caller is cancelled, or destroyed with its context.
//
// Calls queue when all threads of the pool are busy. A thread runs them for 50 us at a time before other handlers of the
// pool get their turn. A function may block in run_async, whose coroutine may use the same pool: when all its threads
// are blocked so, spare threads run what is queued (at most 256; then std::logic_error). Executors other than a
// thread_pool's cannot be helped like this: a function queued, from inside run_async, on the very thread that is blocked
// in it fails with std::logic_error.
//
// Thread-safety: from any coroutine on any executor. The caller's context may be destroyed at any time. A pool that is
// destroyed drops what is queued on it, and those who wait for that get operation_aborted.
#pragma once

#include "dspu/aio/default_pool.hpp"
#include "dspu/aio/detail/pool_call.hpp"
#include "dspu/aio/detail/running.hpp"
#include "dspu/aio/policy.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio {

// A function that, called with Args (or with a std::stop_token and Args), blocks until it has its result.
template <class F, class... Args>
concept blocking_callable =
    !execution_place<F> && !async_callable<F, Args...> &&
    (std::invocable<F, Args...> || std::invocable<F, std::stop_token, Args...>);

namespace detail {

template <class F, class... Args>
awaitable<blocking_result_t<F, Args...>> call_on(asio::any_io_executor pool, F fn, Args... args) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  const auto call = std::make_shared<function_call<F, Args...>>(std::move(fn), std::move(args)...);
  auto waiting = call->queue_on(std::move(pool));
  co_await waiting;
  co_return call->take();
}

}  // namespace detail

// Returns: what fn returns, decayed. Throws: what fn throws; operation_aborted if the pool was destroyed first.
// Suspends: always. On cancel: operation_aborted at once. A function that has not begun is not called; one that runs
// is left to its end, and its result is dropped.
template <class F, class... Args>
  requires blocking_callable<F, Args...>
auto sync_to_async(F fn, Args... args) -> awaitable<detail::blocking_result_t<F, Args...>> {
  return detail::call_on(default_pool().get_executor(), std::move(fn), std::move(args)...);
}

// The same on a thread_pool, an io_context, or any executor.
template <execution_place E, class F, class... Args>
  requires blocking_callable<F, Args...>
auto sync_to_async(E&& pool, F fn, Args... args) -> awaitable<detail::blocking_result_t<F, Args...>> {
  return detail::call_on(detail::executor_of(std::forward<E>(pool)), std::move(fn), std::move(args)...);
}

// fn as a callable that returns an awaitable; each call runs a copy of fn.
template <class F>
class async_function {
 public:
  async_function(asio::any_io_executor pool, F fn) : pool_(std::move(pool)), fn_(std::move(fn)) {}

  template <class... Args>
    requires blocking_callable<F, std::decay_t<Args>...>
  auto operator()(Args&&... args) const {
    return detail::call_on<F, std::decay_t<Args>...>(pool_, fn_, std::forward<Args>(args)...);
  }

 private:
  asio::any_io_executor pool_;
  F fn_;
};

template <class F>
async_function<F> make_async(F fn) {
  return {default_pool().get_executor(), std::move(fn)};
}

template <execution_place E, class F>
async_function<F> make_async(E&& pool, F fn) {
  return {detail::executor_of(std::forward<E>(pool)), std::move(fn)};
}

}  // namespace dspu::aio
