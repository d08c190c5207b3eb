// run_with_timeout: an operation, but not for longer than this.
//
//   auto page = co_await run_with_timeout(fetch(url), 2s);            // throws async_timeout_error{2s}
//
// When the time is over the operation is cancelled and waited for: nothing of it runs on after the call has returned,
// and one that ignores cancellation delays it. A result that it still delivers, arriving together with the expiry or
// in spite of the cancellation, is kept; so is an error of its own. What says that the operation was cancelled becomes
// async_timeout_error, thrown or returned: operation_aborted, channel_cancelled, and what is equivalent to
// std::errc::operation_canceled; but only if it was this timeout that expired and nobody cancelled the caller: nested
// timeouts blame the right one.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/timeout_stage.hpp"
#include "dspu/aio/detail/verbs.hpp"
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
  if (timeout <= duration{0}) detail::refuse_without_time(timeout);
  detail::cancel_scope scope;
  detail::time_limit<Clock> limit(scope, detail::after<Clock>(timeout));
  auto step = scope.run<T>(op);
  co_await step;
  scope.close();
  if (!limit.disarm()) co_return op.await_resume();
  detail::result_slot<T> result;
  try {
    detail::take(op, result);
  } catch (...) {
    result.fail(std::current_exception());
  }
  if (!detail::is_plain_value(result) && !scope.cancelled_by_caller()) {
    if (const auto came_to = detail::outcome_of(result); came_to.aborted()) {
      result.fail(detail::timeout_error(timeout, came_to));
    }
  }
  co_return result.take();
}

// The same for a callable, which is called when the time starts to count.
template <class Clock = std::chrono::steady_clock, async_callable F>
awaitable<awaited_t<F>> run_with_timeout(F fn, duration timeout) {
  if (timeout <= duration{0}) detail::refuse_without_time(timeout);
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

// The policy form of the same: `timeout(2s).call(fetch, url)`, `timeout(2s)(fetch)`. Its calls keep what they need of it.
template <class Clock>
class basic_timeout : public detail::value_verbs<basic_timeout<Clock>> {
 public:
  explicit basic_timeout(aio::duration limit) : basic_timeout(timeout_options{.limit = limit}) {}
  explicit basic_timeout(const timeout_options& options)
      : rules_(std::make_shared<detail::live<detail::timeout_rules>>(rules_of(options))) {}

  aio::duration duration() const { return rules_->get().limit; }
  // New options from the next call on, for all copies of this timeout and for the pipelines that it is in. A call under way
  // goes on under the rules it began with. Each set of options that it ever had is kept, some 24 bytes. From any thread.
  void reconfigure(const timeout_options& options) { rules_->set(rules_of(options)); }
  timeout_options options() const { return {.limit = rules_->get().limit, .shadow = rules_->get().shadow}; }

  // Its part in a pipeline.
  detail::timeout_stage<Clock> stage() const { return detail::timeout_stage<Clock>(rules_); }

 private:
  static detail::timeout_rules rules_of(const timeout_options& o) { return {.limit = o.limit, .shadow = o.shadow}; }

  std::shared_ptr<detail::live<detail::timeout_rules>> rules_;
};

using timeout = basic_timeout<std::chrono::steady_clock>;

}  // namespace dspu::aio
