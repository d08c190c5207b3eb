#include "dspu/aio/retry.hpp"

#include "dspu/aio/detail/thread_random.hpp"
#include "dspu/aio/retry_budget.hpp"

#include <boost/asio/this_coro.hpp>

namespace dspu::aio::detail {

namespace {

core::retry_plan plan_of(const retry_options& o) {
  return {o.max_attempts,
          {.strategy = o.strategy,
           .base_delay = o.base_delay,
           .max_delay = o.max_delay,
           .multiplier = o.multiplier,
           .jitter = o.jitter},
          o.max_retry_after};
}

retry_options with_defaults(retry_options o) {
  if (!o.random) o.random = thread_random;
  if (!o.retry_after) o.retry_after = retry_after_of;
  return o;
}

}  // namespace

retry_rules::retry_rules(retry_options o)
    : numbers_({plan_of(o), o.shadow}), functions_(with_defaults(std::move(o))) {}

void retry_rules::reconfigure(const retry_options& options) { numbers_.set({plan_of(options), options.shadow}); }

retry_options retry_rules::options() const {
  retry_options o = functions_;
  const auto& [plan, shadow] = numbers();
  const auto& backoff = plan.backoff.options();
  o.max_attempts = plan.max_attempts;
  o.strategy = backoff.strategy;
  o.base_delay = backoff.base_delay;
  o.max_delay = backoff.max_delay;
  o.multiplier = backoff.multiplier;
  o.jitter = backoff.jitter;
  o.max_retry_after = plan.max_retry_after;
  o.shadow = shadow;
  return o;
}

core::retry_decision retry_rules::decide(core::retry_machine& machine, const outcome& o) const {
  const auto& f = functions_;
  const verdict v = f.classify ? f.classify(o) : default_verdict(o);
  if (v != verdict::failure) return machine.next(v, 0);
  return machine.next(v, f.random(), f.retry_after(o));
}

void budget_use::deposit() const { budget_->deposit(clock_()); }

void budget_use::record_it(verdict v) const { budget_->record(v, clock_()); }

bool budget_use::charge() {
  withdrawn_ = clock_();
  const auto answer = budget_->withdraw(withdrawn_);
  charged_ = answer == core::withdrawal::granted;
  return answer != core::withdrawal::refused;
}

void budget_use::refund() const { budget_->refund(withdrawn_); }

awaitable<void> tell_on_retry(const retry_rules& rules, std::int64_t attempt, std::exception_ptr error) {
  std::exception_ptr thrown;
  try {
    co_await rules.functions().on_retry.await(attempt, error);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!thrown) co_return;
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw cancelled_error(error);
  throw callback_error(thrown, error);
}

}  // namespace dspu::aio::detail
