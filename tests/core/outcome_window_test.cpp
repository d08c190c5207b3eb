#include "dspu/core/outcome_window.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace dspu::core {

static void PrintTo(const outcome_counts& c, std::ostream* to) {
  *to << c.calls << " calls, " << c.failures << " failures, " << c.slow << " slow";
}

namespace {

using namespace std::chrono_literals;

constexpr instant at(duration d) { return instant{d}; }

TEST(CallWindow, CountsTheNewestCallsOnly) {
  call_window w(3);
  w.record(true, false);
  w.record(true, true);
  w.record(false, true);
  EXPECT_EQ(w.counts(), (outcome_counts{3, 2, 2}));
  w.record(false, false);
  EXPECT_EQ(w.counts(), (outcome_counts{3, 1, 2}));
  w.record(false, false);
  EXPECT_EQ(w.counts(), (outcome_counts{3, 0, 1}));
  w.clear();
  EXPECT_EQ(w.counts(), outcome_counts{});
  w.record(true, false);
  EXPECT_EQ(w.counts(), (outcome_counts{1, 1, 0}));
}

TEST(CallWindow, OfOneCallKnowsTheLast) {
  call_window w(1);
  w.record(true, true);
  EXPECT_EQ(w.counts(), (outcome_counts{1, 1, 1}));
  w.record(false, false);
  EXPECT_EQ(w.counts(), (outcome_counts{1, 0, 0}));
}

TEST(TimeWindow, CountsACallOnAnEdgeInTheLaterBucketAndOnce) {
  time_window w(10s, 10);
  w.record(at(5s), true, false);  // the first instant of its bucket: counts for ten seconds
  w.record(at(6s - 1ns), true, false);
  w.record(at(6s), false, true);
  EXPECT_EQ(w.counts(at(6s)), (outcome_counts{3, 2, 1}));
  EXPECT_EQ(w.counts(at(15s - 1ns)), (outcome_counts{3, 2, 1}));
  EXPECT_EQ(w.counts(at(15s)), (outcome_counts{1, 0, 1})) << "the bucket [5 s, 6 s) left as one";
  EXPECT_EQ(w.counts(at(16s)), outcome_counts{});
  w.record(at(16s), true, false);
  EXPECT_EQ(w.counts(), (outcome_counts{1, 1, 0})) << "to record forgets as much as to count";
}

TEST(TimeWindow, ReadsWithoutChanging) {
  time_window w(10s, 5);
  w.record(at(1s), true, true);
  EXPECT_EQ(w.counts(at(1h)), outcome_counts{});
  EXPECT_EQ(w.counts(at(2s)), (outcome_counts{1, 1, 1}));
  EXPECT_EQ(w.counts(), (outcome_counts{1, 1, 1}));
}

TEST(TimeWindow, ForgetsAllAfterAPauseOfAnyLength) {
  for (const duration pause : {duration{10s}, duration{1s} * (std::int64_t{1} << 31), duration::max() - 2s}) {
    time_window w(10s, 10);
    for (int i = 0; i < 10; ++i) w.record(at(i * 1s / 10), true, true);
    w.record(at(1s) + pause, false, false);
    EXPECT_EQ(w.counts(), (outcome_counts{1, 0, 0}));
    EXPECT_EQ(w.counts(instant::max()).failures, 0);
  }
}

TEST(TimeWindow, CountsInItsNewestBucketWhatAClockThatStepsBackBrings) {
  time_window w(10s, 10);
  w.record(at(100s), true, false);
  w.record(at(40s), true, false);
  EXPECT_EQ(w.counts(at(40s)), (outcome_counts{2, 2, 0}));
  EXPECT_EQ(w.counts(at(110s - 1ns)), (outcome_counts{2, 2, 0}));
  EXPECT_EQ(w.counts(at(110s)), outcome_counts{});
}

TEST(TimeWindow, WorksBeforeItsClocksEpochAndAtBothEndsOfTime) {
  time_window w(3s, 3);
  w.record(at(-1ns), true, false);
  EXPECT_EQ(w.counts(at(2s - 1ns)), (outcome_counts{1, 1, 0}));
  EXPECT_EQ(w.counts(at(2s)), outcome_counts{}) << "its bucket began at -1 s";

  for (const duration width : {duration{1}, duration{7}, duration::max()}) {
    time_window ends(width, 1);
    ends.record(instant::min(), true, false);
    EXPECT_EQ(ends.counts(instant::min()), (outcome_counts{1, 1, 0}));
    ends.record(instant::max(), false, false);
    ends.record(instant::max(), false, false);
    EXPECT_EQ(ends.counts(instant::max()), (outcome_counts{2, 0, 0}));
  }
}

TEST(TimeWindow, OfOneBucketStartsAnewAtEachEdge) {
  time_window w(10s, 1);
  w.record(at(10s), true, false);
  w.record(at(20s - 1ns), true, false);
  EXPECT_EQ(w.counts(), (outcome_counts{2, 2, 0}));
  w.record(at(20s), true, false);
  EXPECT_EQ(w.counts(), (outcome_counts{1, 1, 0}));
}

TEST(TimeWindow, RoundsTheWidthOfItsBucketsUp) {
  time_window w(10ns, 3);  // of 4 ns each
  w.record(at(0ns), true, false);
  EXPECT_EQ(w.counts(at(11ns)).failures, 1);
  EXPECT_EQ(w.counts(at(12ns)).failures, 0);
}

TEST(OutcomeCounts, DivideExactlyWhereTheDecimalIsExact) {
  EXPECT_EQ((outcome_counts{100, 7, 29}).failure_rate(), 0.07);
  EXPECT_EQ((outcome_counts{100, 7, 29}).slow_rate(), 0.29);
  EXPECT_EQ(outcome_counts{}.failure_rate(), 0);
}

TEST(OutcomeWindow, IsOfEitherKindOrNone) {
  outcome_window none;
  EXPECT_FALSE(none);
  none.record(at(1s), true, true);
  EXPECT_EQ(none.counts(at(1s)), outcome_counts{});

  outcome_window calls{{.calls = 1}};
  EXPECT_TRUE(calls);
  calls.record(at(1s), true, true);
  EXPECT_EQ(calls.counts(at(1h)), (outcome_counts{1, 1, 1})) << "calls do not age";

  outcome_window time{{.time = 2s, .buckets = 2}};
  EXPECT_TRUE(time);
  time.record(at(1s), true, true);
  EXPECT_EQ(time.counts(at(2s)), (outcome_counts{1, 1, 1}));
  EXPECT_EQ(time.counts(at(3s)), outcome_counts{});
  time.clear();
  EXPECT_EQ(time.counts(), outcome_counts{});
}

}  // namespace
}  // namespace dspu::core
