#include "dspu/aio/stage_facts.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/detail/in_words.hpp"
#include "dspu/aio/detail/judging.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"

#include <algorithm>

namespace dspu::aio::detail {

namespace {

template <class Error>
bool counts(const classifier& classify, const Error& error) {
  if (!classify) return true;
  const auto thrown = std::make_exception_ptr(error);
  return classify(outcome(thrown)) == verdict::failure;
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

// When it opens.
std::string opening(const circuit_breaker_options& o) {
  std::string text;
  if (o.failure_threshold > 0) text = std::to_string(o.failure_threshold) + " failures";
  if (!o.window.set()) return text;
  const auto& w = o.window;
  const std::string newest = w.calls ? std::to_string(*w.calls) + " calls" : in_words(*w.time);
  if (!text.empty()) text += ", or ";
  text += in_words(100 * w.failure_rate) + " % failing";
  if (w.slow_call) text += " or " + in_words(100 * w.slow_rate) + " % slower than " + in_words(*w.slow_call);
  return text + " in the last " + newest;
}

}  // namespace

stage_facts judging(stage_facts f, const classifier& classify) {
  f.judges = true;
  f.counts_timeouts = counts(classify, async_timeout_error(std::chrono::seconds{1}));
  f.counts_refusals = counts(classify, throttled_error(0.5)) && counts(classify, bulkhead_full_error(1, 0));
  f.counts_deadlines = counts(classify, deadline_error(std::chrono::seconds{2}, std::chrono::seconds{1}));
  return f;
}

stage_facts timeout_facts(duration d, bool shadow) {
  if (shadow) return {.policy = "timeout", .text = in_words(d) + ", in shadow", .shadow = true};
  return {.policy = "timeout", .text = in_words(d), .limit = d};
}

stage_facts facts_of(const retry_rules& rules) {
  const auto o = rules.options();
  const auto& plan = rules.numbers().plan;
  return judging({.policy = "retry",
                  .text = std::to_string(o.max_attempts) + " attempts, " + name_of(o.strategy) + " from " +
                          in_words(o.base_delay) + " to " + in_words(o.max_delay) + ", " + name_of(o.jitter) + " jitter",
                  .runs = o.max_attempts,
                  .pauses = longest_pauses(plan),
                  .first_pause = plan.backoff.ceiling(1)},
                 o.classify);
}

stage_facts facts_of(const breaker_state& breaker) {
  const auto& o = breaker.options();
  return judging({.policy = "circuit_breaker",
                  .text = "opens after " + opening(o) + ", for " + in_words(o.timeout),
                  .opens_after = o.failure_threshold,
                  .slow_call = o.window.set() ? o.window.slow_call.value_or(duration::max()) : duration::max(),
                  .state = &breaker},
                 o.classify);
}

stage_facts facts_of(const limiter_state& limiter) {
  const auto bucket = limiter.bucket();
  return {.policy = "rate_limiter",
          .text = in_words(bucket.rate()) + " per " + in_words(bucket.per()) + ", " + in_words(bucket.capacity()) +
                  " at once",
          .one_in = core::clamp_nanoseconds(static_cast<double>(bucket.per().count()) / bucket.rate(), duration::max()),
          .burst = bucket.capacity(),
          .state = &limiter};
}

}  // namespace dspu::aio::detail
