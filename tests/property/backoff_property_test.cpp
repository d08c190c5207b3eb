// Backoff stays within its bounds at any attempt, and retrying ends when it must.
#include "dspu/core/backoff.hpp"
#include "dspu/core/retry_machine.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

rc::Gen<duration> any_delay() {
  return rc::gen::oneOf(
      rc::gen::element(duration{0}, duration{1}, duration{1s}, duration{1min}, duration::max()),
      rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1LL << 62),
                   [](std::int64_t ns) { return duration{ns}; }),
      rc::gen::map(rc::gen::inRange<std::int64_t>(0, 10'000'000'000),
                   [](std::int64_t ns) { return duration{ns}; }));
}

rc::Gen<std::uint64_t> any_attempt() {
  constexpr std::uint64_t highest = std::uint64_t{1} << 31;
  return rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(1, 100),
                        rc::gen::inRange<std::uint64_t>(1, highest + 1), rc::gen::just(highest));
}

backoff_options any_options() {
  return {.strategy = *rc::gen::element(backoff_strategy::constant, backoff_strategy::linear,
                                        backoff_strategy::exponential),
          .base_delay = *any_delay(),
          .max_delay = *any_delay(),
          .multiplier = *rc::gen::element(0.0, 0.5, 1.0, 1.5, 2.0, 10.0, 1e300),
          .jitter = *rc::gen::element(jitter::none, jitter::full, jitter::equal, jitter::decorrelated)};
}

double any_unit() {
  return *rc::gen::oneOf(rc::gen::element(0.0, 0.5, 0x1.fffffffffffffp-1),
                         rc::gen::map(rc::gen::inRange(0, 1'000'000), [](int i) { return i / 1e6; }));
}

RC_GTEST_PROP(BackoffProperty, StaysWithinItsBoundsAtAnyAttempt, ()) {
  const auto options = any_options();
  const backoff b(options);
  const auto attempt = *any_attempt();
  const auto ceiling = b.ceiling(attempt);
  RC_ASSERT(ceiling >= 0ns && ceiling <= options.max_delay);
  const auto previous = std::min(*any_delay(), options.max_delay);
  const auto delay = b.delay(attempt, any_unit(), previous);
  RC_ASSERT(delay >= 0ns && delay <= options.max_delay);
  switch (options.jitter) {
    case jitter::none:
      RC_ASSERT(delay == ceiling);
      break;
    case jitter::full:
      RC_ASSERT(delay <= ceiling);
      break;
    case jitter::equal:
      RC_ASSERT(delay <= ceiling && delay >= ceiling / 2 - 512ns);
      break;  // a double's last bit
    case jitter::decorrelated:
      RC_ASSERT(delay >= std::min(options.base_delay, options.max_delay) - 512ns);
      break;
  }
}

RC_GTEST_PROP(BackoffProperty, NeverShrinksFromOneAttemptToTheNext, ()) {
  auto options = any_options();
  options.multiplier = std::max(options.multiplier, 1.0);
  const backoff b(options);
  const auto attempt = *any_attempt();
  RC_ASSERT(b.ceiling(attempt) <= b.ceiling(attempt + 1));
}

RC_GTEST_PROP(RetryMachineProperty, MakesAsManyAttemptsAsItMayAndNoMore, ()) {
  const auto attempts = *rc::gen::inRange<std::int64_t>(1, 200);
  const retry_plan plan(attempts, any_options(), 5min);
  retry_machine machine(plan);
  std::int64_t made = 1;
  for (;; ++made) {
    const auto hint = *rc::gen::maybe(rc::gen::inRange<std::int64_t>(-5, 301));
    const auto wish = hint ? std::optional<duration>(std::chrono::seconds{*hint}) : std::nullopt;
    const auto decision = machine.next(verdict::failure, any_unit(), wish);
    if (!decision.again) break;
    RC_ASSERT(decision.delay >= 0ns);
    RC_ASSERT(decision.delay <= std::max(plan.backoff.options().max_delay, plan.max_retry_after));
    if (decision.reason == retry_reason::server_hint) RC_ASSERT(decision.delay == *wish);
  }
  RC_ASSERT(made == attempts);
}

}  // namespace
}  // namespace dspu::core
