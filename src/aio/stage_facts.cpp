#include "dspu/aio/stage_facts.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/detail/in_words.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"

#include <algorithm>

namespace dspu::aio::detail {

namespace {

bool counts_timeouts(const classifier& classify) {
  if (!classify) return true;
  const auto timed_out = std::make_exception_ptr(async_timeout_error(std::chrono::seconds{1}));
  return classify(outcome(timed_out)) == verdict::failure;
}

// The longest pauses of all attempts together.
duration longest_pauses(const core::retry_plan& plan) {
  duration sum{0};
  for (std::int64_t n = 1; n < plan.max_attempts; ++n) {
    const auto pause = plan.backoff.ceiling(static_cast<std::uint64_t>(n));
    const auto next = plan.backoff.ceiling(static_cast<std::uint64_t>(n) + 1);
    if (pause == next) {  // from here on they are all the same
      const double rest = static_cast<double>(plan.max_attempts - n) * static_cast<double>(pause.count());
      return core::add_saturating(sum, core::clamp_nanoseconds(rest, duration::max()));
    }
    sum = core::add_saturating(sum, pause);
  }
  return sum;
}

}  // namespace

stage_facts timeout_facts(duration d) { return {.policy = "timeout", .text = in_words(d), .limit = d}; }

stage_facts facts_of(const retry_rules& rules) {
  const auto o = rules.options();
  return {.policy = "retry",
          .text = std::to_string(o.max_attempts) + " attempts, " + name_of(o.strategy) + " from " +
                  in_words(o.base_delay) + " to " + in_words(o.max_delay) + ", " + name_of(o.jitter) + " jitter",
          .runs = o.max_attempts,
          .pauses = longest_pauses(rules.numbers().plan),
          .counts_timeouts = counts_timeouts(o.classify)};
}

stage_facts facts_of(const breaker_state& breaker) {
  const auto& o = breaker.options();
  return {.policy = "circuit_breaker",
          .text = "opens after " + std::to_string(o.failure_threshold) + " failures, for " + in_words(o.timeout),
          .counts_timeouts = counts_timeouts(o.classify)};
}

stage_facts facts_of(const limiter_state& limiter) {
  const auto bucket = limiter.bucket();
  return {.policy = "rate_limiter",
          .text = in_words(bucket.rate()) + " per " + in_words(bucket.per()) + ", " + in_words(bucket.capacity()) +
                  " at once"};
}

}  // namespace dspu::aio::detail
