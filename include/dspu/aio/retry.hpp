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

#include "dspu/aio/call_context.hpp"
#include "dspu/aio/callback.hpp"
#include "dspu/aio/detail/live.hpp"
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/core/retry_machine.hpp"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace dspu::aio {

using core::backoff_strategy;
using core::jitter;

class retry_budget;

struct retry_options {
  // Attempts in all; the first call counts. At least 1.
  std::int64_t max_attempts = 3;
  // How the pause grows: constant base_delay; base_delay · (1 + multiplier · (n − 1)); base_delay · multiplier^(n − 1).
  backoff_strategy strategy = backoff_strategy::exponential;
  // The pause after the first failure. At least 0.
  duration base_delay = std::chrono::seconds{1};
  // No pause is longer, at any attempt, jitter included. At least 0.
  duration max_delay = std::chrono::seconds{60};
  // Finite, at least 0.
  double multiplier = 2.0;
  // How the pause is drawn: none, full (uniform in [0, pause]), equal (its upper half), decorrelated.
  core::jitter jitter = core::jitter::full;
  // A failure that says when to come back (Retry-After) is obeyed, up to this, if it asks for longer than the backoff;
  // if it asks for more than this, the call fails at once with that failure. At least 0.
  duration max_retry_after = std::chrono::minutes{5};
  // Which outcomes are worth another attempt. Without it: every exception, and every result without a value.
  classifier classify = nullptr;
  // Reads from a failure how long it asks us to wait. Without it: error::retry_after().
  std::function<std::optional<duration>(const outcome&)> retry_after = nullptr;
  // Charged for every attempt beyond the first, before its pause; if it refuses, the call ends at once as the attempt
  // did. It must outlive the retry. Without it: that of the retry around, if this one is inside of one; else no limit.
  retry_budget* budget = nullptr;
  // Called before each pause as (attempt, error), plain or asynchronous: attempt is that which failed, from 1; error is
  // null if it failed by its result. What it throws ends the call with callback_error.
  callback<std::int64_t, std::exception_ptr> on_retry = nullptr;
  // Uniform in [0, 1); called from whatever thread the call is on. Without it: a generator per thread, seeded by the OS.
  std::function<double()> random = nullptr;
  // Shadow mode: decides, and in a pipeline tells the observer, but makes no second attempt and charges no budget.
  bool shadow = false;
};

namespace detail {

template <class Clock>
class retry_stage;

// Those of the options that may change.
struct retry_numbers {
  core::retry_plan plan;
  bool shadow;
  friend bool operator==(const retry_numbers&, const retry_numbers&) = default;
};

// The options, checked, with the defaults filled in.
class retry_rules {
 public:
  explicit retry_rules(retry_options options);

  // What to do after this outcome. Null error: the outcome is a value.
  core::retry_decision decide(core::retry_machine& machine, const outcome& o) const;

  // As they are now; what this refers to stays as it is.
  const retry_numbers& numbers() const { return numbers_.get(); }
  // With the functions as they were given, and the defaults filled in.
  const retry_options& functions() const { return functions_; }
  retry_options options() const;
  void reconfigure(const retry_options& options);

 private:
  live<retry_numbers> numbers_;
  const retry_options functions_;
};

// What one call owes a budget; nothing if that is null. A retry that is paid for and does not begin is refunded.
class budget_use {
 public:
  budget_use(retry_budget* budget, core::instant (*clock)()) : budget_(budget), clock_(clock) {
    if (budget_ != nullptr) deposit();
  }
  budget_use(const budget_use&) = delete;
  budget_use& operator=(const budget_use&) = delete;
  ~budget_use() {
    if (charged_) refund();
  }

  void record(verdict v) const {
    if (budget_ != nullptr) record_it(v);
  }
  // Whether there may be another attempt: charges for it.
  bool allows() { return budget_ == nullptr || charge(); }
  void begun() { charged_ = false; }

 private:
  void deposit() const;
  void record_it(verdict v) const;
  bool charge();
  void refund() const;

  retry_budget* budget_;
  core::instant (*clock_)();
  core::instant withdrawn_{};
  bool charged_ = false;
};

// Tells on_retry and pauses. Throws: callback_error; cancelled_error.
template <class Clock>
awaitable<void> pause(const retry_rules& rules, std::int64_t attempt, duration delay, std::exception_ptr error);

template <class Clock, class T, class Keep, class F, class... Args>
awaitable<T> retrying(const retry_rules& rules, [[maybe_unused]] Keep keep, F fn, Args... args) {
  const retry_numbers& numbers = rules.numbers();
  core::retry_machine machine(numbers.plan);
  budget_use budget(rules.functions().budget, clock_reading<Clock>);
  for (;;) {
    budget.begun();
    result_slot<T> result;
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::invoke(fn, args...);
        result.emplace();
      } else {
        result.emplace(co_await std::invoke(fn, args...));
      }
    } catch (...) {
      result.fail(std::current_exception());
    }
    if (is_plain_success(result, rules.functions().classify)) {
      budget.record(verdict::success);
      co_return result.take();
    }

    const auto attempt = machine.attempt();
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return result.take();
    const auto decision = rules.decide(machine, outcome_of(result));
    budget.record(decision.judged());
    if (!decision.again || numbers.shadow || !budget.allows()) co_return result.take();
    co_await pause<Clock>(rules, attempt, decision.delay, result.error());
  }
}

}  // namespace detail

template <class Clock>
class basic_retry {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_retry(retry_options options = {})
      : rules_(std::make_shared<detail::retry_rules>(std::move(options))) {}

  // Calls fn(args…) until it succeeds or the attempts are used up. fn and args are used again, so they are not moved
  // from: fn takes them by value (copied) or by reference.
  // Suspends: as fn does, and in the pauses.
  template <class F, class... Args>
    requires async_callable<F, Args&...>
  awaitable<awaited_t<F, Args&...>> call(F fn, Args... args) const& {
    return detail::retrying<Clock, awaited_t<F, Args&...>>(*rules_, nullptr, std::move(fn), std::move(args)...);
  }
  template <class F, class... Args>
    requires async_callable<F, Args&...>
  awaitable<awaited_t<F, Args&...>> call(F fn, Args... args) const&& {
    return detail::retrying<Clock, awaited_t<F, Args&...>>(*rules_, rules_, std::move(fn), std::move(args)...);
  }

  // A callable like fn, each call of which is retried. It keeps its own hold on the options.
  template <class F>
  auto operator()(F fn) const {
    return [policy = *this, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires async_callable<const F, std::decay_t<Args>&...>
    { return basic_retry(policy).call(fn, std::forward<Args>(args)...); };
  }

  retry_options options() const { return rules_->options(); }
  // New options from the next call on, for all copies of this retry and for the pipelines that it is in; the functions among
  // them, and the budget, stay as they were. A call under way goes on under the rules it began with. Each set of options
  // that it ever had is kept, some 80 bytes. Throws: std::invalid_argument as the constructor; nothing has changed then.
  void reconfigure(const retry_options& options) { rules_->reconfigure(options); }

  // Its part in a pipeline, with its own hold on the options.
  detail::retry_stage<Clock> stage() const { return detail::retry_stage<Clock>(rules_); }

 private:
  std::shared_ptr<detail::retry_rules> rules_;
};

using retry = basic_retry<std::chrono::steady_clock>;

namespace detail {

// Throws: callback_error.
awaitable<void> tell_on_retry(const retry_rules& rules, std::int64_t attempt, std::exception_ptr error);

template <class Clock>
awaitable<void> pause(const retry_rules& rules, std::int64_t attempt, duration delay, std::exception_ptr error) {
  if (rules.functions().on_retry) co_await tell_on_retry(rules, attempt, error);
  bool cancelled = false;
  try {
    co_await sleep_for<Clock>(delay);
  } catch (const boost::system::system_error&) {
    cancelled = true;
  }
  if (cancelled) throw cancelled_error(error);
}

}  // namespace detail

}  // namespace dspu::aio

#include "dspu/aio/detail/retry_stage.hpp"
