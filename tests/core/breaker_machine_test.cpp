#include "dspu/core/breaker_machine.hpp"

#include <gtest/gtest.h>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000s};

struct BreakerMachine : testing::Test {
  breaker_machine machine{{.failure_threshold = 3, .success_threshold = 2, .timeout = 10s}};

  std::uint64_t admit(instant now) {
    const auto a = machine.enter(now);
    EXPECT_TRUE(a.admitted);
    return a.generation;
  }
  void call(verdict v, instant now) { machine.settle(admit(now), v, now); }
  void trip(instant now) {
    for (int i = 0; i < 3; ++i) call(verdict::failure, now);
    ASSERT_EQ(machine.state(), circuit_state::open);
  }
};

TEST_F(BreakerMachine, OpensAtTheThresholdOfConsecutiveFailures) {
  call(verdict::failure, start);
  call(verdict::failure, start);
  call(verdict::success, start);
  EXPECT_EQ(machine.failure_count(), 0);
  call(verdict::failure, start);
  call(verdict::ignored, start);
  call(verdict::failure, start);
  EXPECT_EQ(machine.state(), circuit_state::closed);
  call(verdict::failure, start);
  EXPECT_EQ(machine.state(), circuit_state::open);
  EXPECT_EQ(machine.failure_count(), 3);
  EXPECT_EQ(machine.last_failure_time(), start);
}

TEST_F(BreakerMachine, RefusesUntilTheTimeoutToTheNanosecond) {
  trip(start);
  const auto refused = machine.enter(start + 10s - 1ns);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after, 1ns);
  const auto probe = machine.enter(start + 10s);
  EXPECT_TRUE(probe.admitted);
  ASSERT_TRUE(probe.transition);
  EXPECT_EQ(probe.transition->to, circuit_state::half_open);
}

TEST_F(BreakerMachine, AdmitsNoMoreProbesThanItMayAtOnce) {
  trip(start);
  const auto first = admit(start + 10s);
  admit(start + 10s);
  const auto third = machine.enter(start + 10s);
  EXPECT_FALSE(third.admitted);
  EXPECT_FALSE(third.retry_after) << "nobody knows when a probe ends";
  machine.settle(first, verdict::ignored, start + 11s);
  EXPECT_EQ(machine.state(), circuit_state::half_open);
  admit(start + 11s);
}

TEST_F(BreakerMachine, ClosesAfterEnoughSuccessesAndReopensOnOneFailure) {
  trip(start);
  call(verdict::success, start + 10s);
  EXPECT_EQ(machine.success_count(), 1);
  call(verdict::failure, start + 10s);
  EXPECT_EQ(machine.state(), circuit_state::open);
  EXPECT_FALSE(machine.enter(start + 20s - 1ns).admitted);
  call(verdict::success, start + 20s);
  EXPECT_EQ(machine.success_count(), 1) << "counted afresh in each half-open";
  call(verdict::success, start + 20s);
  EXPECT_EQ(machine.state(), circuit_state::closed);
  EXPECT_EQ(machine.failure_count(), 0);
}

TEST_F(BreakerMachine, DropsResultsOfEarlierGenerations) {
  const auto stale = admit(start);
  trip(start);
  machine.settle(stale, verdict::success, start + 1s);
  EXPECT_EQ(machine.state(), circuit_state::open);
  const auto probe = admit(start + 10s);
  machine.settle(stale, verdict::failure, start + 10s);
  EXPECT_EQ(machine.state(), circuit_state::half_open);
  EXPECT_EQ(machine.in_flight(), 1);
  machine.reset();
  machine.settle(probe, verdict::failure, start + 11s);
  EXPECT_EQ(machine.failure_count(), 0);
}

TEST_F(BreakerMachine, ForgetsEverythingOnReset) {
  trip(start);
  const auto t = machine.reset();
  ASSERT_TRUE(t);
  EXPECT_EQ(t->from, circuit_state::open);
  EXPECT_EQ(machine.failure_count(), 0);
  EXPECT_FALSE(machine.last_failure_time());
  EXPECT_FALSE(machine.reset()) << "already closed: no transition";
}

TEST_F(BreakerMachine, StaysOpenForEverWithoutOverflow) {
  breaker_machine patient({.failure_threshold = 1, .timeout = duration::max()});
  patient.settle(patient.enter(start).generation, verdict::failure, start);
  EXPECT_FALSE(patient.enter(start + 24h * 365 * 50).admitted);
}

TEST(BreakerMachineOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(breaker_machine({.failure_threshold = 0}), std::invalid_argument);
  EXPECT_THROW(breaker_machine({.success_threshold = 0}), std::invalid_argument);
  EXPECT_THROW(breaker_machine({.half_open_max_calls = 0}), std::invalid_argument);
  try {
    breaker_machine({.timeout = -1s});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "circuit_breaker.timeout is -1 s; must be at least 0 s");
  }
}

}  // namespace
}  // namespace dspu::core
