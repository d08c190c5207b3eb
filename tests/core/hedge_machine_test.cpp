#include "dspu/core/hedge_machine.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;
using enum hedge_action;

constexpr instant start_time{1'000s};

static_assert(std::is_trivially_copyable_v<hedge_machine>, "no memory of its own");

struct HedgeMachine : testing::Test {
  hedge_plan plan{{.max_hedges = 2, .delay = 100ms}};
  hedge_machine call{plan, plan.delay({})};

  void expect_start(std::int64_t attempt, duration since) {
    const auto d = call.next(start_time + since);
    ASSERT_EQ(d.action, start);
    EXPECT_EQ(d.attempt, attempt);
    call.started(start_time + since);
  }
  void expect_wait(instant until, duration since) {
    const auto d = call.next(start_time + since);
    ASSERT_EQ(d.action, wait);
    EXPECT_EQ(d.at, until);
  }
  void expect_won(std::int64_t attempt, duration since) {
    const auto d = call.next(start_time + since);
    ASSERT_EQ(d.action, won);
    EXPECT_EQ(d.attempt, attempt);
  }
};

TEST_F(HedgeMachine, StartsAnotherWheneverTheLastIsOldEnough) {
  expect_start(0, 0ms);
  expect_wait(start_time + 100ms, 0ms);
  expect_wait(start_time + 100ms, 100ms - 1ns);
  expect_start(1, 100ms);
  expect_wait(start_time + 200ms, 100ms);
  expect_start(2, 230ms);
  expect_wait(instant::max(), 230ms);
  EXPECT_EQ(call.in_flight(), 3);
}

TEST_F(HedgeMachine, StartsNoneBesideACallThatEndsInTime) {
  expect_start(0, 0ms);
  call.finished(0, true);
  expect_won(0, 50ms);
  expect_won(0, 500ms);
  EXPECT_EQ(call.attempts(), 1);
}

TEST_F(HedgeMachine, TakesTheFirstAcceptableResultNotTheFirstResult) {
  expect_start(0, 0ms);
  expect_start(1, 100ms);
  expect_start(2, 200ms);
  call.finished(1, false);
  expect_wait(instant::max(), 210ms);
  call.finished(2, true);
  expect_won(2, 220ms);
  call.finished(0, true);
  expect_won(2, 230ms);
}

TEST_F(HedgeMachine, StartsTheNextAtOnceWhenOneFails) {
  expect_start(0, 0ms);
  call.finished(0, false);
  expect_start(1, 10ms);
  expect_wait(start_time + 110ms, 10ms);
  call.finished(1, false);
  expect_start(2, 20ms);
  expect_wait(instant::max(), 20ms);
}

TEST_F(HedgeMachine, StartsOneForEachOfTwoFailuresThatAreToldTogether) {
  const hedge_plan wide({.max_hedges = 5, .delay = 100ms});
  call = hedge_machine(wide, 100ms);
  expect_start(0, 0ms);
  expect_start(1, 100ms);
  call.finished(0, false);
  call.finished(1, false);
  expect_start(2, 110ms);
  expect_start(3, 110ms);
  expect_wait(start_time + 210ms, 110ms);
}

TEST_F(HedgeMachine, FailsWithTheFirstAttemptsOutcomeWhenAllHaveFailed) {
  expect_start(0, 0ms);
  expect_start(1, 100ms);
  expect_start(2, 200ms);
  call.finished(2, false);
  call.finished(0, false);
  expect_wait(instant::max(), 210ms);
  call.finished(1, false);
  const auto d = call.next(start_time + 220ms);
  EXPECT_EQ(d.action, failed);
  EXPECT_EQ(d.attempt, 0);
  EXPECT_EQ(call.in_flight(), 0);
}

TEST_F(HedgeMachine, StartsAllAtOnceWithoutADelay) {
  call = hedge_machine(plan, 0s);
  expect_start(0, 0ms);
  expect_start(1, 0ms);
  expect_start(2, 0ms);
  expect_wait(instant::max(), 0ms);
}

TEST_F(HedgeMachine, OnlyFallsBackWithAnEndlessDelay) {
  call = hedge_machine(plan, duration::max());
  expect_start(0, 0ms);
  expect_wait(instant::max(), 24h * 365 * 100);
  call.finished(0, false);
  expect_start(1, 10ms);
}

TEST_F(HedgeMachine, NeverHedgesWhereItMayNot) {
  const hedge_plan alone({.max_hedges = 0, .delay = 0s});
  call = hedge_machine(alone, 0s);
  expect_start(0, 0ms);
  expect_wait(instant::max(), 1s);
  call.finished(0, false);
  EXPECT_EQ(call.next(start_time + 1s).action, failed);
}

// failsafe-go issue 141: a spent budget killed the hedges that were under way.
TEST_F(HedgeMachine, LeavesThoseUnderWayAloneWhenItIsSuppressed) {
  expect_start(0, 0ms);
  expect_start(1, 100ms);
  call.suppress();
  expect_wait(instant::max(), 500ms);
  call.finished(0, false);
  expect_wait(instant::max(), 510ms);
  call.finished(1, true);
  expect_won(1, 520ms);
}

TEST_F(HedgeMachine, FailsOnceAllUnderWayHaveFailedAfterItIsSuppressed) {
  expect_start(0, 0ms);
  call.suppress();
  call.finished(0, false);
  EXPECT_EQ(call.next(start_time).action, failed);
}

TEST_F(HedgeMachine, MakesTheFirstAttemptEvenIfItIsSuppressedBefore) {
  call.suppress();
  expect_start(0, 0ms);
  expect_wait(instant::max(), 500ms);
}

TEST(HedgePlan, TakesAQuantileForTheDelayWhereThereIsOne) {
  const hedge_plan fixed({.delay = 70ms});
  EXPECT_EQ(fixed.delay(5ms), 70ms);
  const hedge_plan by_quantile({.delay = 70ms, .quantile = 0.95});
  EXPECT_EQ(by_quantile.delay({}), 70ms);
  EXPECT_EQ(by_quantile.delay(200ms), 200ms);
  EXPECT_EQ(by_quantile.delay(5us), 1ms) << "min_delay";
}

TEST(HedgePlan, NamesTheOptionItsValueAndItsRange) {
  EXPECT_THROW(hedge_plan({.max_hedges = -1}), std::invalid_argument);
  EXPECT_THROW(hedge_plan({.max_hedges = 101}), std::invalid_argument);
  EXPECT_THROW(hedge_plan({.delay = -1ns}), std::invalid_argument);
  EXPECT_THROW(hedge_plan({.min_delay = -1ns}), std::invalid_argument);
  EXPECT_THROW(hedge_plan({.quantile = std::nan("")}), std::invalid_argument);
  try {
    hedge_plan({.quantile = 95});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "hedge.quantile is 95; must be 0 to 1");
  }
}

}  // namespace
}  // namespace dspu::core
