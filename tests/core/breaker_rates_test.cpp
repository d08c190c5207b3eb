// Breakers that judge by rates, by slow calls, and by what failures ask for.
#include "core/breaker_fixture.hpp"

namespace dspu::core {
namespace {

using namespace std::chrono_literals;
using enum circuit_state;

using BreakerRates = breaker_fixture;

breaker_options by_calls(std::int64_t calls, std::int64_t min_calls, double rate) {
  return {.failure_threshold = 0,
          .timeout = 10s,
          .window = {.calls = calls, .min_calls = min_calls, .failure_rate = rate}};
}

TEST_F(BreakerRates, OpenWhenTheShareIsReachedAndTheWindowHoldsEnough) {
  breaker_machine m(by_calls(10, 4, 0.5));
  fail(m, start);
  fail(m, start);
  fail(m, start);
  EXPECT_EQ(m.state(), closed) << "three calls prove nothing";
  EXPECT_TRUE(succeed(m, start)) << "judged after a success as well: three of four failed";
  EXPECT_EQ(m.state(), open);
  EXPECT_EQ(m.failures_seen(), 3);
  EXPECT_EQ(m.statistics(start).window, (outcome_counts{4, 3, 0}));
  EXPECT_EQ(m.open_until(), start + 10s);
}

TEST_F(BreakerRates, ReachTheShareExactly) {
  breaker_machine m(by_calls(100, 100, 0.07));
  for (int i = 0; i < 6; ++i) fail(m, start);
  for (int i = 0; i < 93; ++i) succeed(m, start);
  EXPECT_EQ(m.state(), closed);
  fail(m, start);
  EXPECT_EQ(m.state(), open) << "7 of 100 is 7 %, in floating point too";
}

TEST_F(BreakerRates, OfAllCallsOpenOnlyIfAllFail) {
  breaker_machine m(by_calls(3, 1, 1.0));
  succeed(m, start);
  fail(m, start);
  fail(m, start);
  EXPECT_EQ(m.state(), closed);
  fail(m, start);
  EXPECT_EQ(m.state(), open) << "the success has left the window";
}

TEST_F(BreakerRates, OfAWindowOfOneOpenAtTheFirstFailure) {
  breaker_machine m(by_calls(1, 1, 1.0));
  for (int i = 0; i < 3; ++i) succeed(m, start);
  fail(m, start);
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerRates, TakeAFullWindowForEnough) {
  breaker_machine m(by_calls(3, 20, 0.5));
  fail(m, start);
  fail(m, start);
  EXPECT_EQ(m.state(), closed);
  fail(m, start);
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerRates, OfATimeForgetWhatIsOld) {
  breaker_machine m({.failure_threshold = 0, .window = {.time = 10s, .buckets = 10, .min_calls = 4}});
  fail(m, start);
  fail(m, start);
  succeed(m, start + 10s);  // exactly when the failures leave
  succeed(m, start + 10s);
  succeed(m, start + 10s);
  fail(m, start + 10s);
  EXPECT_EQ(m.state(), closed);
  EXPECT_EQ(m.statistics(start + 10s).window, (outcome_counts{4, 1, 0}));
  EXPECT_EQ(m.statistics(start + 20s).window, outcome_counts{});
  fail(m, start + 11s);
  fail(m, start + 11s);
  EXPECT_EQ(m.state(), open) << "three of six";
}

TEST_F(BreakerRates, LeaveConsecutiveFailuresInForce) {
  breaker_machine both({.failure_threshold = 3, .window = {.calls = 100, .min_calls = 100}});
  for (int i = 0; i < 3; ++i) fail(both, start);
  EXPECT_EQ(both.state(), open);

  breaker_machine rate_only(by_calls(100, 100, 0.5));
  for (int i = 0; i < 99; ++i) fail(rate_only, start);
  EXPECT_EQ(rate_only.state(), closed);
  EXPECT_EQ(rate_only.failure_count(), 99);
}

TEST_F(BreakerRates, DoNotCountWhatIsIgnored) {
  breaker_machine m(by_calls(2, 1, 1.0));
  call(m, verdict::ignored, start);
  EXPECT_EQ(m.statistics(start).window, outcome_counts{});
}

TEST_F(BreakerRates, StartAnewWhenTheBreakerCloses) {
  breaker_machine m(by_calls(2, 2, 0.5));
  succeed(m, start);
  fail(m, start);
  ASSERT_EQ(m.state(), open);
  succeed(m, start + 10s);
  EXPECT_EQ(m.statistics(start + 10s).window.calls, 2) << "probes are not counted in it";
  succeed(m, start + 10s);
  ASSERT_EQ(m.state(), closed);
  EXPECT_EQ(m.statistics(start + 10s).window, outcome_counts{});
  fail(m, start + 10s);
  EXPECT_EQ(m.state(), closed);
}

TEST_F(BreakerRates, CountACallOnceThoughTheBreakerOpensAndClosesMeanwhile) {
  breaker_machine m(by_calls(1, 1, 1.0));
  const auto early = admit(m, start);
  fail(m, start);
  m.settle(early, verdict::failure, start);  // finishes in open
  EXPECT_EQ(m.statistics(start).window, (outcome_counts{1, 1, 0}));
  m.settle(early, verdict::success, start + 10s);
  succeed(m, start + 10s);
  m.settle(early, verdict::failure, start + 10s);  // in half-open
  EXPECT_EQ(m.state(), half_open);
  succeed(m, start + 10s);
  m.settle(early, verdict::failure, start + 10s);  // in the next closed
  EXPECT_EQ(m.state(), closed);
  EXPECT_EQ(m.statistics(start + 10s).window, outcome_counts{});
}

breaker_options by_slowness(double rate) {
  return {.failure_threshold = 0,
          .timeout = 10s,
          .window = {.calls = 4, .min_calls = 4, .failure_rate = 1, .slow_call = 2s, .slow_rate = rate}};
}

TEST_F(BreakerRates, CountSlowCallsWhateverTheyComeTo) {
  breaker_machine m(by_slowness(0.75));
  succeed(m, start, 2s);  // not slow yet
  succeed(m, start, 2s + 1ns);
  fail(m, start, 3s);
  EXPECT_EQ(m.statistics(start).window, (outcome_counts{3, 1, 1 + 1}));
  succeed(m, start, 1h);
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerRates, TakeASlowProbeForAFailedOne) {
  breaker_machine m(by_slowness(1.0));
  for (int i = 0; i < 4; ++i) succeed(m, start, 5s);
  ASSERT_EQ(m.state(), open);
  ASSERT_EQ(m.open_until(), start + 15s);
  succeed(m, start + 15s, 3s);
  EXPECT_EQ(m.state(), open) << "closing on slow probes would only open it again";
  EXPECT_EQ(m.statistics(start).reopenings, 1);
  EXPECT_FALSE(m.last_failure_time()) << "slow, but not failed";
}

TEST_F(BreakerRates, TakeNoCallForSlowWhoseStartIsUnknownOrAhead) {
  breaker_machine m(by_slowness(1.0));
  const auto g = admit(m, start);
  m.settle({.generation = g, .v = verdict::success, .started = instant::max(), .now = start});
  m.settle({.generation = g, .v = verdict::success, .started = start + 1h, .now = start});  // the clock stepped back
  EXPECT_EQ(m.statistics(start).window, (outcome_counts{2, 0, 0}));
}

using BreakerHints = breaker_fixture;

TEST_F(BreakerHints, OpenAtOnceForAsLongAsAFailureAsks) {
  breaker_machine m({.failure_threshold = 5, .timeout = 10s});
  const auto t = fail_asking(m, start, 30s);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->to, open);
  EXPECT_EQ(m.enter(start + 30s - 1ns).retry_after, 1ns);
  EXPECT_TRUE(m.enter(start + 30s).admitted);
}

TEST_F(BreakerHints, NeverShortenTheBreakItself) {
  breaker_machine m({.failure_threshold = 1, .timeout = 10s});
  fail_asking(m, start, 3s);
  EXPECT_EQ(m.open_until(), start + 10s);
  fail_asking(m, start + 10s, 60s);
  EXPECT_EQ(m.open_until(), start + 70s) << "from half-open as well";
}

TEST_F(BreakerHints, AreCutToTheMost) {
  breaker_machine m({.failure_threshold = 5, .timeout = 10s, .max_retry_after = 1min});
  fail_asking(m, start, duration::max());
  EXPECT_EQ(m.open_until(), start + 1min);
}

TEST_F(BreakerHints, OfNothingAreNone) {
  breaker_machine m({.failure_threshold = 5, .timeout = 10s});
  fail_asking(m, start, 0s);
  fail_asking(m, start, -5s);
  EXPECT_EQ(m.state(), closed);
  EXPECT_EQ(m.failure_count(), 2);
  breaker_machine deaf({.failure_threshold = 5, .max_retry_after = 0s});
  fail_asking(deaf, start, 30s);
  EXPECT_EQ(deaf.state(), closed);
}

TEST_F(BreakerHints, CountOfFailuresOnly) {
  breaker_machine m({.failure_threshold = 5});
  for (const auto v : {verdict::success, verdict::ignored}) {
    m.settle({.generation = admit(m, start), .v = v, .started = start, .now = start, .retry_after = 30s});
  }
  EXPECT_EQ(m.state(), closed);
}

}  // namespace
}  // namespace dspu::core
