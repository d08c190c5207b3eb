// How breakers come back: growing breaks, the ramp of half-open, lost probes; and what is done to them by hand.
#include "core/breaker_fixture.hpp"

namespace dspu::core {
namespace {

using namespace std::chrono_literals;
using enum circuit_state;

using BreakerBreaks = breaker_fixture;

TEST_F(BreakerBreaks, GrowWithEachReopeningUpToTheMost) {
  breaker_machine m({.failure_threshold = 1, .timeout = 1s, .timeout_multiplier = 2, .max_timeout = 5s});
  instant now = start;
  for (const auto length : {1s, 2s, 4s, 5s, 5s}) {
    fail(m, now);
    ASSERT_EQ(m.open_until(), now + length);
    EXPECT_FALSE(m.enter(now + length - 1ns).admitted);
    now += length;
  }
  EXPECT_EQ(m.statistics(now).reopenings, 4);
  EXPECT_EQ(m.statistics(now).opened, 5);
}

TEST_F(BreakerBreaks, AreBackToTheFirstOnceItClosed) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .timeout_multiplier = 3});
  fail(m, start);
  fail(m, start + 1s);
  EXPECT_EQ(m.open_until(), start + 4s);
  succeed(m, start + 4s);
  ASSERT_EQ(m.state(), closed);
  fail(m, start + 4s);
  EXPECT_EQ(m.open_until(), start + 5s);
}

TEST_F(BreakerBreaks, NeitherShrinkNorOverflow) {
  breaker_machine longer({.failure_threshold = 1, .timeout = 1h, .timeout_multiplier = 2, .max_timeout = 1min});
  fail(longer, start);
  fail(longer, start + 1h);
  EXPECT_EQ(longer.open_until(), start + 2h) << "a timeout above the most does not grow";

  breaker_machine steep(
      {.failure_threshold = 1, .timeout = 1ns, .timeout_multiplier = 1e300, .max_timeout = duration::max()});
  fail(steep, start);
  fail(steep, start + 1ns);
  EXPECT_EQ(steep.open_until(), instant::max());

  breaker_machine none({.failure_threshold = 1, .timeout = 0s, .timeout_multiplier = 1e300});
  for (int i = 0; i < 10; ++i) fail(none, start);
  EXPECT_EQ(none.open_until(), start);
}

using BreakerRamp = breaker_fixture;

TEST_F(BreakerRamp, DoublesThePlacesAfterEachRoundOfSuccesses) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 20, .timeout = 1s, .half_open_max_calls = 6,
                     .half_open_ramp = true});
  fail(m, start);
  const instant now = start + 1s;
  for (int successes = 0; successes < 20; ++successes) {
    const std::int64_t places = successes < 1 ? 1 : successes < 3 ? 2 : successes < 7 ? 4 : 6;
    std::vector<std::uint64_t> out;
    for (std::int64_t i = 0; i < places; ++i) out.push_back(admit(m, now));
    EXPECT_EQ(m.places(), places) << successes;
    EXPECT_FALSE(m.enter(now).admitted) << successes;
    m.settle(out[0], verdict::success, now);
    for (std::size_t i = 1; i < out.size(); ++i) m.settle(out[i], verdict::ignored, now);
  }
  EXPECT_EQ(m.state(), closed);
}

TEST_F(BreakerRamp, StartsOverInEachHalfOpen) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 8, .timeout = 1s, .half_open_ramp = true});
  fail(m, start);
  for (int i = 0; i < 3; ++i) succeed(m, start + 1s);
  EXPECT_EQ(m.places(), 4);
  fail(m, start + 1s);
  admit(m, start + 2s);
  EXPECT_FALSE(m.enter(start + 2s).admitted);
}

using BreakerLostProbes = breaker_fixture;

TEST_F(BreakerLostProbes, GiveTheirPlacesBackAndTheirLateResultsCountForNothing) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .probe_timeout = 5s});
  fail(m, start);
  const instant first = start + 1s;
  const auto lost = admit(m, first);
  const auto refused = m.enter(first + 2s);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after, 3s) << "then a place is free for sure";
  EXPECT_FALSE(m.enter(first + 5s - 1ns).admitted);
  const auto second = admit(m, first + 5s);
  EXPECT_EQ(second, lost) << "the generation is the same: it is still half-open";

  m.settle({.generation = lost, .v = verdict::failure, .started = first, .now = first + 6s});
  EXPECT_EQ(m.state(), half_open);
  EXPECT_EQ(m.in_flight(), 1);
  EXPECT_EQ(m.statistics(first).lost_probes, 1);
  m.settle({.generation = second, .v = verdict::success, .started = first + 5s, .now = first + 6s});
  EXPECT_EQ(m.state(), closed);
}

TEST_F(BreakerLostProbes, AreLostAtTheInstantEvenIfNobodyCameMeanwhile) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .probe_timeout = 5s});
  fail(m, start);
  succeed(m, start + 1s, 5s);
  EXPECT_EQ(m.state(), half_open);
  EXPECT_EQ(m.statistics(start).lost_probes, 1);
  succeed(m, start + 6s, 5s - 1ns);
  EXPECT_EQ(m.state(), closed);
}

using BreakerByHand = breaker_fixture;

TEST_F(BreakerByHand, IsIsolatedUntilItIsClosed) {
  breaker_machine m({.failure_threshold = 1, .timeout = 1s});
  const auto before = admit(m, start);
  const auto t = m.isolate();
  ASSERT_TRUE(t);
  EXPECT_EQ(t->to, isolated);
  EXPECT_FALSE(m.isolate()) << "no change, no transition";
  const auto refused = m.enter(start + 1000h);
  EXPECT_FALSE(refused.admitted);
  EXPECT_FALSE(refused.retry_after) << "nobody knows";
  EXPECT_FALSE(m.settle(before, verdict::failure, start)) << "begun while closed";
  EXPECT_FALSE(m.force_open(start + 1s));
  EXPECT_EQ(m.state(), isolated) << "isolation is stronger";
  const auto back = m.close();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->from, isolated);
  EXPECT_EQ(back->to, closed);
}

TEST_F(BreakerByHand, IsIsolatedWhileHalfOpenIsDue) {
  breaker_machine m({.failure_threshold = 1, .timeout = 1s});
  fail(m, start);
  m.isolate();
  EXPECT_FALSE(m.enter(start + 1s).admitted);
  EXPECT_EQ(m.state(), isolated);
}

TEST_F(BreakerByHand, IsIsolatedWhileProbesFly) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s});
  fail(m, start);
  const auto probe = admit(m, start + 1s);
  m.isolate();
  EXPECT_EQ(m.in_flight(), 0);
  EXPECT_FALSE(m.settle(probe, verdict::success, start + 1s));
  EXPECT_EQ(m.state(), isolated);
}

TEST_F(BreakerByHand, ClosesFromAnyStateAndKeepsTheLastFailuresTime) {
  breaker_machine m({.failure_threshold = 1, .timeout = 1s});
  EXPECT_FALSE(m.close());
  fail(m, start);
  EXPECT_TRUE(m.close());
  EXPECT_EQ(m.failure_count(), 0);
  EXPECT_EQ(m.last_failure_time(), start);
  fail(m, start + 1s);
  const auto probe = admit(m, start + 2s);
  EXPECT_TRUE(m.close());
  m.settle(probe, verdict::failure, start + 2s);
  EXPECT_EQ(m.state(), closed) << "the probe no longer matters";
}

TEST_F(BreakerByHand, ClosingWhatIsClosedLeavesItsCallsAndCountsAlone) {
  breaker_machine m({.failure_threshold = 2});
  const auto out = admit(m, start);
  fail(m, start);
  EXPECT_FALSE(m.close());
  EXPECT_EQ(m.failure_count(), 1);
  EXPECT_TRUE(m.settle(out, verdict::failure, start));
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerByHand, IsOpenUntilTheInstantNamed) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 10s, .timeout_multiplier = 2});
  const auto t = m.force_open(start + 3s);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->from, closed);
  EXPECT_EQ(m.enter(start).retry_after, 3s);
  EXPECT_FALSE(m.force_open(start + 7s)) << "still open: no transition";
  EXPECT_FALSE(m.enter(start + 7s - 1ns).admitted);
  EXPECT_FALSE(m.force_open(start + 2s)) << "earlier as well";
  fail(m, start + 2s);
  EXPECT_EQ(m.open_until(), start + 22s) << "a re-opening like others";
  admit(m, start + 22s);
  EXPECT_TRUE(m.force_open(start + 30s)) << "from half-open";
  EXPECT_EQ(m.statistics(start).reopenings, 1) << "no probe failed";
}

TEST_F(BreakerByHand, IsOpenUntilAnInstantGoneByMeansHalfOpenAtTheNextCall) {
  breaker_machine m({});
  m.force_open(start - 1s);
  EXPECT_EQ(m.state(), open);
  EXPECT_TRUE(m.enter(start).admitted);
  EXPECT_EQ(m.state(), half_open);
}

TEST_F(BreakerByHand, IsResetFromIsolation) {
  breaker_machine m({});
  m.isolate();
  EXPECT_TRUE(m.reset());
  EXPECT_EQ(m.state(), closed);
}

using BreakerMetricsOnly = breaker_fixture;

TEST_F(BreakerMetricsOnly, DecidesAndCountsButRefusesNobody) {
  breaker_machine m({.failure_threshold = 2, .success_threshold = 1, .timeout = 10s, .metrics_only = true});
  fail(m, start);
  EXPECT_TRUE(fail(m, start)) << "it tells of its changes";
  EXPECT_EQ(m.state(), open);
  const auto would_refuse = m.enter(start + 1s);
  EXPECT_TRUE(would_refuse.admitted);
  EXPECT_FALSE(would_refuse.retry_after);
  EXPECT_EQ(m.statistics(start).refused, 1);
  EXPECT_FALSE(m.settle(would_refuse.generation, verdict::failure, start + 1s));
  EXPECT_EQ(m.failure_count(), 2) << "that call would not have been made";

  const auto probe = admit(m, start + 10s);
  EXPECT_EQ(m.state(), half_open);
  const auto beside = admit(m, start + 10s);
  EXPECT_FALSE(m.settle(beside, verdict::failure, start + 10s)) << "one probe only";
  EXPECT_EQ(m.in_flight(), 1);
  EXPECT_TRUE(m.settle(probe, verdict::success, start + 10s));
  EXPECT_EQ(m.state(), closed);
  EXPECT_EQ(m.statistics(start).refused, 2);
  m.isolate();
  EXPECT_TRUE(m.enter(start).admitted);
}

using BreakerReconfigured = breaker_fixture;

TEST_F(BreakerReconfigured, KeepsItsCountsAndJudgesAtTheNextResult) {
  breaker_machine m({.failure_threshold = 5});
  for (int i = 0; i < 3; ++i) fail(m, start);
  const auto out = admit(m, start);
  m.reconfigure({.failure_threshold = 2});
  EXPECT_EQ(m.state(), closed);
  EXPECT_EQ(m.failure_count(), 3);
  EXPECT_TRUE(m.settle(out, verdict::failure, start)) << "calls that are out go on to count";
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerReconfigured, ChangesNothingIfTheOptionsAreWrong) {
  breaker_machine m({.failure_threshold = 2});
  fail(m, start);
  EXPECT_THROW(m.reconfigure({.failure_threshold = 1, .timeout = -1s}), std::invalid_argument);
  EXPECT_EQ(m.options().failure_threshold, 2);
  EXPECT_EQ(m.failure_count(), 1);
}

TEST_F(BreakerReconfigured, KeepsAWindowOfTheSameKindAndSizeOnly) {
  breaker_options o{.failure_threshold = 0, .window = {.calls = 10, .min_calls = 10, .failure_rate = 0.9}};
  breaker_machine m(o);
  fail(m, start);
  succeed(m, start);
  o.window.min_calls = 3;
  o.window.failure_rate = 0.6;
  m.reconfigure(o);
  EXPECT_EQ(m.statistics(start).window, (outcome_counts{2, 1, 0}));
  EXPECT_EQ(m.state(), closed);
  o.window.calls = 11;
  m.reconfigure(o);
  EXPECT_EQ(m.statistics(start).window, outcome_counts{});
  fail(m, start);
  o.window.calls.reset();
  o.window.time = 10s;
  m.reconfigure(o);
  EXPECT_EQ(m.statistics(start).window, outcome_counts{});
  for (int i = 0; i < 3; ++i) fail(m, start);
  EXPECT_EQ(m.state(), open);
}

TEST_F(BreakerReconfigured, StaysOpenUntilTheEarlierOfBothInstants) {
  breaker_machine m({.failure_threshold = 1, .timeout = 10s});
  fail(m, start);
  m.reconfigure({.failure_threshold = 1, .timeout = 30s});
  EXPECT_EQ(m.open_until(), start + 10s) << "a longer timeout is for the next time";
  m.reconfigure({.failure_threshold = 1, .timeout = 4s});
  EXPECT_EQ(m.open_until(), start + 4s);
  m.reconfigure({.failure_threshold = 1, .timeout = 10s});
  EXPECT_EQ(m.open_until(), start + 4s);
}

TEST_F(BreakerReconfigured, StaysOpenUntilAnInstantThatSomebodyNamed) {
  breaker_machine asked({.failure_threshold = 5, .timeout = 10s});
  fail_asking(asked, start, 60s);
  asked.reconfigure({.timeout = 1s});
  EXPECT_EQ(asked.open_until(), start + 60s);

  breaker_machine both({.failure_threshold = 1, .timeout = 100s});
  fail_asking(both, start, 60s);
  ASSERT_EQ(both.open_until(), start + 100s);
  both.reconfigure({.failure_threshold = 1, .timeout = 1s});
  EXPECT_EQ(both.open_until(), start + 60s);

  breaker_machine forced({.timeout = 10s});
  forced.force_open(start + 60s);
  forced.reconfigure({.timeout = 1s});
  EXPECT_EQ(forced.open_until(), start + 60s);
}

TEST_F(BreakerReconfigured, KeepsProbesThatAreOut) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 3, .timeout = 1s});
  fail(m, start);
  std::uint64_t probe = 0;
  for (int i = 0; i < 3; ++i) probe = admit(m, start + 1s);
  m.reconfigure({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s});
  EXPECT_EQ(m.in_flight(), 3);
  EXPECT_FALSE(m.enter(start + 1s).admitted);
  m.settle(probe, verdict::success, start + 1s);
  EXPECT_EQ(m.state(), closed);
}

TEST_F(BreakerReconfigured, ForgetsProbesWhoseBeginningItDoesNotKnow) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s});
  fail(m, start);
  const auto probe = admit(m, start + 1s);
  m.reconfigure({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .probe_timeout = 5s});
  EXPECT_EQ(m.in_flight(), 0);
  m.settle(probe, verdict::failure, start + 1s);
  EXPECT_EQ(m.state(), half_open);
  succeed(m, start + 1s);
  EXPECT_EQ(m.state(), closed);
}

TEST_F(BreakerReconfigured, ForgetsProbesWhoseBeginningNoLongerMatters) {
  breaker_machine m({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .probe_timeout = 5s});
  fail(m, start);
  const auto probe = admit(m, start + 1s);
  m.reconfigure({.failure_threshold = 1, .success_threshold = 1, .timeout = 1s});
  m.settle(probe, verdict::ignored, start + 1s);
  EXPECT_EQ(m.in_flight(), 0) << "it has no place to give back";
  admit(m, start + 1s);
  EXPECT_FALSE(m.enter(start + 1s).admitted);
}

TEST_F(BreakerReconfigured, JudgesNoSlownessOnceItIsNotAskedFor) {
  breaker_options o{.failure_threshold = 0, .window = {.calls = 4, .min_calls = 2, .failure_rate = 1, .slow_call = 1s}};
  breaker_machine m(o);
  succeed(m, start, 5s);
  o.window.slow_call.reset();
  o.window.slow_rate = 0.1;
  m.reconfigure(o);
  succeed(m, start);
  EXPECT_EQ(m.state(), closed) << "the slow call is still in the window";
}

TEST_F(BreakerReconfigured, RefusesFromWhenItIsNoLongerMetricsOnly) {
  breaker_machine m({.failure_threshold = 1, .timeout = 10s, .metrics_only = true});
  fail(m, start);
  EXPECT_TRUE(m.enter(start).admitted);
  m.reconfigure({.failure_threshold = 1, .timeout = 10s});
  EXPECT_EQ(m.enter(start + 1s).retry_after, 9s);
}

}  // namespace
}  // namespace dspu::core
