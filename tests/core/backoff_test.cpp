#include "dspu/core/backoff.hpp"

#include "dspu/core/random.hpp"
#include "dspu/core/retry_machine.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

std::vector<duration> ceilings(const backoff_options& options, std::uint64_t attempts) {
  const backoff b(options);
  std::vector<duration> out;
  for (std::uint64_t n = 1; n <= attempts; ++n) out.push_back(b.ceiling(n));
  return out;
}

TEST(Backoff, FollowsEachStrategyUpToTheCap) {
  using testing::ElementsAre;
  EXPECT_THAT(ceilings({.max_delay = 10s}, 5), ElementsAre(1s, 2s, 4s, 8s, 10s));
  EXPECT_THAT(ceilings({.strategy = backoff_strategy::linear, .max_delay = 6s}, 4), ElementsAre(1s, 3s, 5s, 6s));
  EXPECT_THAT(ceilings({.strategy = backoff_strategy::constant, .base_delay = 3s}, 3), ElementsAre(3s, 3s, 3s));
  EXPECT_THAT(ceilings({.base_delay = 3s, .max_delay = 2s}, 2), ElementsAre(2s, 2s));
}

TEST(Backoff, DrawsJitterFromTheDelay) {
  const auto delay = [](jitter j, double unit, duration previous = 0s) {
    return backoff({.base_delay = 1s, .max_delay = 60s, .jitter = j}).delay(3, unit, previous);
  };
  EXPECT_EQ(delay(jitter::none, 0.5), 4s);
  EXPECT_EQ(delay(jitter::full, 0.5), 2s);
  EXPECT_EQ(delay(jitter::full, 0), 0s);
  EXPECT_EQ(delay(jitter::equal, 0.5), 3s);
  EXPECT_EQ(delay(jitter::decorrelated, 0.5), 2s);
  EXPECT_EQ(delay(jitter::decorrelated, 0.5, 5s), 8s);
}

TEST(Backoff, StaysWithinItsBoundsAtAnyAttempt) {
  random_source random(3);
  for (const auto strategy : {backoff_strategy::constant, backoff_strategy::linear, backoff_strategy::exponential}) {
    for (const auto j : {jitter::none, jitter::full, jitter::equal, jitter::decorrelated}) {
      for (const duration cap : {duration{0}, duration{5min}, duration::max()}) {
        const backoff b({.strategy = strategy, .base_delay = 2s, .max_delay = cap, .jitter = j});
        duration previous{0};
        for (std::uint64_t n = 1; n < (1ULL << 31); n += 1 + n / 3) {
          ASSERT_GE(b.ceiling(n + 1), b.ceiling(n));
          const duration d = b.delay(n, random.unit(), previous);
          ASSERT_GE(d, 0s);
          ASSERT_LE(d, cap);
          previous = d;
        }
        ASSERT_LE(b.delay(std::numeric_limits<std::uint64_t>::max(), 0.999, previous), cap);
      }
    }
  }
}

TEST(Backoff, NamesTheOptionItsValueAndItsRange) {
  EXPECT_THROW(backoff({.base_delay = -1s}), std::invalid_argument);
  EXPECT_THROW(backoff({.max_delay = -1s}), std::invalid_argument);
  EXPECT_THROW(backoff({.multiplier = -0.1}), std::invalid_argument);
  try {
    backoff({.multiplier = std::numeric_limits<double>::infinity()});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "backoff.multiplier is inf; must be a finite number of at least 0");
  }
}

TEST(RetryMachine, CountsTheFirstCallAsAnAttempt) {
  const retry_plan plan(3, {.jitter = jitter::none}, 5min);
  retry_machine machine(plan);
  EXPECT_EQ(machine.attempt(), 1);
  const auto first = machine.next(verdict::failure, 0);
  EXPECT_TRUE(first.again);
  EXPECT_EQ(first.delay, 1s);
  const auto second = machine.next(verdict::failure, 0);
  EXPECT_EQ(second.delay, 2s);
  EXPECT_EQ(machine.attempt(), 3);
  const auto third = machine.next(verdict::failure, 0);
  EXPECT_FALSE(third.again);
  EXPECT_EQ(third.reason, retry_reason::attempts_exhausted);
}

TEST(RetryMachine, StopsAtSuccessAndAtWhatIsNotRetryable) {
  const retry_plan plan(3, {}, 5min);
  EXPECT_EQ(retry_machine(plan).next(verdict::success, 0).reason, retry_reason::succeeded);
  EXPECT_EQ(retry_machine(plan).next(verdict::ignored, 0).reason, retry_reason::not_retryable);
}

TEST(RetryMachine, HonoursTheServersWishUpToItsLimit) {
  const retry_plan plan(9, {.max_delay = 2s}, 5min);
  retry_machine machine(plan);
  const auto hinted = machine.next(verdict::failure, 0, 42s);
  EXPECT_EQ(hinted.reason, retry_reason::server_hint);
  EXPECT_EQ(hinted.delay, 42s) << "not cut at max_delay";
  EXPECT_EQ(machine.next(verdict::failure, 0, -1s).reason, retry_reason::backoff);
  EXPECT_EQ(machine.next(verdict::failure, 0, 5min + 1ns).reason, retry_reason::retry_after_too_long);
}

TEST(RetryMachine, WaitsForItsBackoffWhenTheServerAsksForLess) {
  const retry_plan plan(9, {.jitter = jitter::none}, 5min);
  retry_machine machine(plan);
  const auto at_once = machine.next(verdict::failure, 0, 0s);
  EXPECT_EQ(at_once.delay, 1s);
  EXPECT_EQ(at_once.reason, retry_reason::backoff);
  EXPECT_EQ(machine.next(verdict::failure, 0, 1999ms).delay, 2s);
  EXPECT_EQ(machine.next(verdict::failure, 0, 4001ms).delay, 4001ms);
}

TEST(RetryMachine, NamesTheOptionItsValueAndItsRange) {
  try {
    retry_plan(0, {}, 5min);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "retry.max_attempts is 0; must be at least 1 (the first call counts)");
  }
  EXPECT_THROW(retry_plan(1, {}, -1s), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::core
