// retry: calls again what failed, after a pause that grows and is jittered.
//
//   retry again{{.max_attempts = 5, .base_delay = 100ms}};
//   co_await again.call(fetch, url);
//   auto stubborn = retry({.max_attempts = 5}, fetch);       // co_await stubborn(url)
//
// The pauses are core/backoff.hpp's. The last error is rethrown unchanged, the last failed result returned. What is
// cancelled is never retried: a cancelled attempt ends the call as the attempt ended, a cancelled pause ends it at once
// with cancelled_error (operation_aborted), which carries the last real error. operation_aborted that the operation
// produced by itself, while nobody cancelled the caller, is a failure like any other.
//
// Thread-safety: any number of calls at once, and reconfigure() from any thread. A call on an lvalue refers to it, which must outlive the call;
// a call on a temporary keeps what it needs.
#pragma once

#include "dspu/aio/detail/retry_stage.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/retry_options.hpp"

#include <chrono>
#include <memory>
#include <tuple>
#include <utility>

namespace dspu::aio {

template <class Clock>
class basic_retry {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_retry(retry_options options = {})
      : stage_(std::make_shared<detail::retry_rules>(std::move(options))) {}

  // Calls fn(args…), or fn(context, args…), until it succeeds or the attempts are used up. fn and args are used again, so
  // they are not moved from: fn takes them by value (copied) or by reference.
  // Suspends: as fn does, and in the pauses.
  template <class F, class... Args>
    requires detail::operation<F, Args&...>
  auto call(F fn, Args... args) const& {
    return detail::run_through(std::tuple(&stage_), detail::no_context{}, std::move(fn), std::move(args)...);
  }
  template <class F, class... Args>
    requires detail::operation<F, Args&...>
  auto call(F fn, Args... args) const&& {
    return detail::run_through(std::tuple(stage_), detail::no_context{}, std::move(fn), std::move(args)...);
  }
  // The same within the budget of a call that is under way.
  template <class F, class... Args>
    requires detail::operation<F, Args&...>
  auto call_in(const call_context& outer, F fn, Args... args) const {
    return detail::run_through(std::tuple(stage_), call_context(outer), std::move(fn), std::move(args)...);
  }

  // A callable like fn, each call of which is retried. It keeps its own hold on the options.
  template <class F>
  auto operator()(F fn) const {
    return detail::decorate(std::tuple(stage_), std::move(fn));
  }

  retry_options options() const { return stage_.rules().options(); }
  // New options from the next call on, for all copies of this retry and for the pipelines that it is in; the functions among
  // them, and the budget, stay as they were. A call under way goes on under the rules it began with. Each set of options
  // that it ever had is kept, some 80 bytes. Throws: std::invalid_argument as the constructor; nothing has changed then.
  void reconfigure(const retry_options& options) { stage_.rules().reconfigure(options); }

  // Its part in a pipeline, with its own hold on the options.
  detail::retry_stage<Clock> stage() const { return stage_; }

 private:
  detail::retry_stage<Clock> stage_;
};

using retry = basic_retry<std::chrono::steady_clock>;

}  // namespace dspu::aio
