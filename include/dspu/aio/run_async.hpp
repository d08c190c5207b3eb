// run_async and async_to_sync: from ordinary code into coroutines, blocking until they have ended.
//
//   int n = run_async(count(url));                        // on a private loop of this thread
//   int m = run_async([&] { return count(url); }, pool);  // on the pool's threads, while this one blocks
//   auto count_now = async_to_sync(count);                // count_now(url) blocks
//
// Without an executor, the coroutine runs here, on an event loop that the thread keeps from call to call. Calls may be
// nested; each has a loop of its own, and while the inner one runs the outer one does not. What the coroutine leaves
// behind on the loop, say with co_spawn and detached, ends with the call: what of it is ready is run, up to 1000
// handlers, and the rest is destroyed.
//
// With an executor (or an io_context, or a thread_pool), it runs there; on a strand of it, unless it is one or belongs
// to an `io_context{1}`. Somebody else must run that executor's context. When that is stopped or destroyed meanwhile,
// operation_aborted is thrown, and a coroutine that is left in a stopped context ends should that run again.
//
// A stop request cancels the coroutine (cancellation_type::terminal), which is then waited for.
//
// Thread-safety: may be called from any thread that does not run the executor given.
#pragma once

#include "dspu/aio/detail/blocking_run.hpp"
#include "dspu/aio/detail/private_loop.hpp"
#include "dspu/aio/detail/running.hpp"
#include "dspu/aio/policy.hpp"

#include <functional>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace dspu::aio {

// Returns: what the coroutine returns. Throws: what it throws; operation_aborted if stopped; what a stray handler on
// the private loop threw, once the coroutine, which is then cancelled, has ended.
template <class T>
T run_async(awaitable<T> op, std::stop_token stop = {}) {
  detail::private_loop loop;
  return loop.run(std::move(op), stop);
}

// The same on an executor. Throws: also std::logic_error, without running anything, when this thread runs the executor.
template <class T, execution_place E>
T run_async(awaitable<T> op, E&& place, std::stop_token stop = {}) {
  auto ex = detail::executor_of(std::forward<E>(place));
  detail::blocking_run::require_elsewhere(ex, "run_async");
  return detail::blocking_run_of<T>::run(std::move(ex), std::move(op), stop);
}

// The same for a callable. It is called when the coroutine starts, and destroyed when that has ended.
template <async_callable F>
awaited_t<F> run_async(F fn, std::stop_token stop = {}) {
  return run_async(detail::call_owned<F, awaited_t<F>>(std::move(fn)), std::move(stop));
}

template <async_callable F, execution_place E>
awaited_t<F> run_async(F fn, E&& place, std::stop_token stop = {}) {
  return run_async(detail::call_owned<F, awaited_t<F>>(std::move(fn)), std::forward<E>(place), std::move(stop));
}

// fn as a callable that blocks; each call runs a copy of fn. The arguments are taken by value.
template <class F>
class sync_function {
 public:
  explicit sync_function(F fn, std::optional<asio::any_io_executor> ex = std::nullopt)
      : fn_(std::move(fn)), executor_(std::move(ex)) {}

  template <class... Args>
    requires async_callable<F, std::decay_t<Args>...>
  auto operator()(Args&&... args) const {
    auto bound = [fn = fn_, args = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable {
      return std::apply(fn, std::move(args));
    };
    return executor_ ? run_async(std::move(bound), *executor_) : run_async(std::move(bound));
  }

 private:
  F fn_;
  std::optional<asio::any_io_executor> executor_;
};

template <class F>
sync_function<F> async_to_sync(F fn) {
  return sync_function<F>(std::move(fn));
}

template <class F, execution_place E>
sync_function<F> async_to_sync(F fn, E&& place) {
  return sync_function<F>(std::move(fn), detail::executor_of(std::forward<E>(place)));
}

}  // namespace dspu::aio
