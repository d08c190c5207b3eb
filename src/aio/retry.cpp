#include "dspu/aio/retry.hpp"

#include "dspu/aio/detail/thread_random.hpp"

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
    : numbers_({plan_of(o), o.shadow}),
      functions_(with_defaults(std::move(o))),
      asks_nobody_(functions_.budget == nullptr && !functions_.classify) {}

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

}  // namespace dspu::aio::detail
