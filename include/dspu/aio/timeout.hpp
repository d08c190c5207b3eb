// run_with_timeout: an operation, but not for longer than this.
//
//   auto page = co_await run_with_timeout(fetch(url), 2s);            // throws async_timeout_error{2s}
//
// When the time is over the operation is cancelled and waited for: nothing of it runs on after the call has returned,
// and one that ignores cancellation delays it. A result that it still delivers, arriving together with the expiry or
// in spite of the cancellation, is kept; so is an error of its own. Only operation_aborted becomes async_timeout_error,
// and only if it was this timeout that expired and nobody cancelled the caller: nested timeouts blame the right one.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/aio/detail/timeout_stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"

#include <chrono>
#include <concepts>
#include <type_traits>

namespace dspu::aio {

// Throws: async_timeout_error; what the operation throws. A timeout of 0 or less: async_timeout_error at once, the
// operation is not started. Timeouts beyond the clock's range never expire.
// Suspends: as the operation does. On cancel: the operation is cancelled and waited for; its outcome is ours.
// Thread-safety: on an executor with several threads, operation and expiry are kept apart.
template <class Clock = std::chrono::steady_clock, class T>
awaitable<T> run_with_timeout(awaitable<T> op, duration timeout) {
  if (timeout <= duration{0}) throw async_timeout_error(timeout);
  detail::cancel_scope scope;
  detail::time_limit<Clock> limit(scope, detail::after<Clock>(timeout));
  auto step = scope.run<T>(op);
  co_await step;
  scope.close();
  if (!limit.disarm()) co_return op.await_resume();
  detail::result_slot<T> result;
  try {
    if constexpr (std::is_void_v<T>) {
      op.await_resume();
      result.emplace();
    } else {
      result.emplace(op.await_resume());
    }
  } catch (...) {
    result.fail(std::current_exception());
  }
  if (!result.has_value() && !scope.cancelled_by_caller() && detail::is_aborted(result.error())) {
    throw async_timeout_error(timeout);
  }
  co_return result.take();
}

// The same for a callable, which is called when the time starts to count.
template <class Clock = std::chrono::steady_clock, async_callable F>
awaitable<awaited_t<F>> run_with_timeout(F fn, duration timeout) {
  if (timeout <= duration{0}) throw async_timeout_error(timeout);
  auto op = fn();
  co_return co_await run_with_timeout<Clock>(std::move(op), timeout);
}

struct timeout_options {
  // How long a call may take. 0 or less: each is refused.
  duration limit = std::chrono::seconds{10};
  // Shadow mode: ends nothing, and sets no deadline for what is inside; in a pipeline tells the observer, afterwards, of
  // calls that took so long.
  bool shadow = false;
};

// The policy form of the same: `timeout(2s).call(fetch, url)`, `timeout(2s)(fetch)`.
template <class Clock>
class basic_timeout {
 public:
  explicit basic_timeout(aio::duration limit) : basic_timeout(timeout_options{.limit = limit}) {}
  explicit basic_timeout(const timeout_options& options)
      : rules_(std::make_shared<detail::live<detail::timeout_rules>>(rules_of(options))) {}

  template <class F, class... Args>
    requires async_callable<F, Args...>
  awaitable<awaited_t<F, Args...>> call(F fn, Args... args) const {
    return bounded(rules_->get(), std::move(fn), std::move(args)...);
  }

  template <class F>
  auto operator()(F fn) const {
    return [policy = *this, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires async_callable<const F, std::decay_t<Args>...>
    { return policy.call(fn, std::forward<Args>(args)...); };
  }

  aio::duration duration() const { return rules_->get().limit; }
  // New options from the next call on, for all copies of this timeout and for the pipelines that it is in. A call under way
  // goes on under the rules it began with. Each set of options that it ever had is kept, some 24 bytes. From any thread.
  void reconfigure(const timeout_options& options) { rules_->set(rules_of(options)); }
  timeout_options options() const { return {.limit = rules_->get().limit, .shadow = rules_->get().shadow}; }

  // Its part in a pipeline.
  detail::timeout_stage<Clock> stage() const { return detail::timeout_stage<Clock>(rules_); }

 private:
  static detail::timeout_rules rules_of(const timeout_options& o) { return {.limit = o.limit, .shadow = o.shadow}; }

  template <class F, class... Args>
  static awaitable<awaited_t<F, Args...>> bounded(detail::timeout_rules rules, F fn, Args... args) {
    auto op = std::invoke(fn, std::move(args)...);
    if (rules.shadow) co_return co_await std::move(op);
    co_return co_await run_with_timeout<Clock>(std::move(op), rules.limit);
  }

  std::shared_ptr<detail::live<detail::timeout_rules>> rules_;
};

using timeout = basic_timeout<std::chrono::steady_clock>;

}  // namespace dspu::aio
