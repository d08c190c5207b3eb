#include "dspu/aio/retry.hpp"

#include "dspu/aio/detail/thread_random.hpp"

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

}  // namespace

retry_rules::retry_rules(retry_options o) : plan(plan_of(o)), options(std::move(o)) {
  if (!options.random) options.random = thread_random;
  if (!options.retry_after) options.retry_after = retry_after_of;
}

core::retry_decision retry_rules::decide(core::retry_machine& machine, const outcome& o) const {
  const verdict v = options.classify ? options.classify(o) : default_verdict(o);
  if (v != verdict::failure) return machine.next(v, 0);
  return machine.next(v, options.random(), options.retry_after(o));
}

awaitable<void> tell_on_retry(const retry_rules& rules, std::int64_t attempt, std::exception_ptr error) {
  std::exception_ptr thrown;
  try {
    co_await rules.options.on_retry.await(attempt, error);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!thrown) co_return;
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw cancelled_error(error);
  throw callback_error(thrown, error);
}

}  // namespace dspu::aio::detail
