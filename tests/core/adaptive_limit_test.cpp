#include "dspu/core/adaptive_limit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000s};
constexpr std::uint64_t seed = 1;

static_assert(std::is_trivially_copyable_v<adaptive_limit>, "no memory of its own");

// ---- aimd

struct AdaptiveLimitAimd : testing::Test {
  adaptive_limit limit{{.algorithm = limit_algorithm::aimd, .max = 30}, seed};
  std::int64_t sample(duration rtt, std::int64_t in_flight, bool dropped) {
    return limit.sample(rtt, in_flight, dropped, start);
  }
};

TEST_F(AdaptiveLimitAimd, AddsOneForACallAndTakesATenthForADrop) {
  EXPECT_EQ(limit.limit(), 20);
  EXPECT_EQ(sample(10ms, 20, false), 21);
  EXPECT_EQ(sample(10ms, 11, false), 22);
  EXPECT_EQ(sample(10ms, 22, true), 19);  // floor(22 · 0.9)
  EXPECT_EQ(sample(1ms, 1, true), 17) << "a drop counts however few are in flight";
}

TEST_F(AdaptiveLimitAimd, FallsByOneAtLeast) {
  adaptive_limit slow(
      {.algorithm = limit_algorithm::aimd, .initial = 3, .aimd = {.backoff_ratio = std::nextafter(1, 0)}},
      seed);
  EXPECT_EQ(slow.sample(10ms, 3, true, start), 2);
}

TEST_F(AdaptiveLimitAimd, TakesALongCallForADrop) {
  EXPECT_EQ(sample(5s, 20, false), 21);
  EXPECT_EQ(sample(5s + 1ns, 20, false), 18);
}

TEST_F(AdaptiveLimitAimd, GrowsOnlyFromHalfOfItsLimitOn) {
  EXPECT_EQ(sample(10ms, 9, false), 20);
  EXPECT_EQ(sample(10ms, 10, false), 21);
}

TEST_F(AdaptiveLimitAimd, StaysWithinItsBounds) {
  for (int i = 0; i < 50; ++i) sample(10ms, 100, false);
  EXPECT_EQ(limit.limit(), 30);
  for (int i = 0; i < 50; ++i) sample(10ms, 100, true);
  EXPECT_EQ(limit.limit(), 1);
  EXPECT_EQ(sample(10ms, 1, false), 2);
}

// ---- vegas

struct AdaptiveLimitVegas : testing::Test {
  adaptive_limit limit{{.algorithm = limit_algorithm::vegas, .max = 1000}, seed};
  std::int64_t sample(duration rtt, std::int64_t in_flight, bool dropped) {
    return limit.sample(rtt, in_flight, dropped, start);
  }
};

TEST_F(AdaptiveLimitVegas, MovesByTheQueueThatItSees) {
  EXPECT_EQ(sample(100ms, 20, false), 20);
  EXPECT_EQ(limit.baseline(), 100ms);
  EXPECT_EQ(sample(100ms, 20, false), 26) << "no queue: +6";
  EXPECT_EQ(sample(108ms, 26, false), 27) << "ceil(26 · 8 / 108) = 2 queued: +1";
  EXPECT_EQ(sample(110ms, 27, false), 27) << "3 queued: right as it is";
  EXPECT_EQ(sample(128ms, 27, false), 27) << "6 queued: right as it is";
  EXPECT_EQ(sample(140ms, 27, false), 26) << "8 queued: -1";
}

TEST_F(AdaptiveLimitVegas, StepsByTheMagnitudeOfItsLimit) {
  adaptive_limit big({.algorithm = limit_algorithm::vegas, .initial = 999, .max = 5000}, seed);
  big.sample(100ms, 999, false, start);
  EXPECT_EQ(big.sample(100ms, 999, false, start), 1011);  // log10: 2
  EXPECT_EQ(big.sample(100ms, 999, false, start), 1029);  // log10: 3
  EXPECT_EQ(big.sample(100ms, 999, true, start), 1026);
}

TEST_F(AdaptiveLimitVegas, NeverTakesADropForALatency) {
  sample(100ms, 20, false);
  EXPECT_EQ(sample(1ms, 20, true), 19);
  EXPECT_EQ(limit.baseline(), 100ms) << "a refusal is fast";
  EXPECT_EQ(sample(1ms, 1, true), 18);
}

TEST_F(AdaptiveLimitVegas, LearnsALowerLatencyAndLeavesTheLimitAlone) {
  sample(100ms, 20, false);
  EXPECT_EQ(sample(80ms, 20, false), 20);
  EXPECT_EQ(limit.baseline(), 80ms);
}

TEST_F(AdaptiveLimitVegas, NeitherGrowsNorShrinksWhileIdle) {
  sample(100ms, 1, false);
  EXPECT_EQ(sample(100ms, 9, false), 20);
  EXPECT_EQ(sample(900ms, 9, false), 20);
  EXPECT_EQ(sample(100ms, 10, false), 26);
}

TEST_F(AdaptiveLimitVegas, HalvesItsLimitToSeeTheLatencyWithoutItsOwnQueue) {
  adaptive_limit steady({.algorithm = limit_algorithm::vegas, .max = 20}, seed);
  int samples = 0;
  while (steady.limit() == 20 && samples < 1000) steady.sample(110ms, 20, false, start), ++samples;
  EXPECT_GE(samples, 300);
  EXPECT_LE(samples, 600);
  EXPECT_EQ(steady.limit(), 10);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(steady.sample(90ms, 20, false, start), 10) << "begun before";
  EXPECT_EQ(steady.baseline(), 110ms);
  steady.sample(150ms, 10, false, start);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(steady.sample(160ms, 10, false, start), 10);
  EXPECT_EQ(steady.sample(160ms, 10, false, start), 20);
  EXPECT_EQ(steady.baseline(), 150ms) << "the least of the ten";
}

TEST_F(AdaptiveLimitVegas, HeedsDropsWhileItProbes) {
  adaptive_limit steady({.algorithm = limit_algorithm::vegas, .max = 20}, seed);
  for (int i = 0; i < 1000 && steady.limit() == 20; ++i) steady.sample(110ms, 20, false, start);
  steady.sample(1ms, 5, true, start);
  steady.sample(1ms, 5, true, start);
  EXPECT_EQ(steady.limit(), 9);
  for (int i = 0; i < 9; ++i) steady.sample(110ms, 5, false, start);
  EXPECT_EQ(steady.limit(), 18);
}

// A server that takes 50 at once for 10 ms each, and callers that always fill the limit.
template <class Limit>
void saturate(Limit& limit, int samples, auto&& each) {
  instant now = start;
  for (int i = 0; i < samples; ++i) {
    const std::int64_t l = limit.limit();
    const duration rtt = 10ms * std::max<std::int64_t>(50, l) / 50;
    now += rtt / l;
    each(limit.sample(rtt, l, false, now), i);
  }
}

// Netflix/concurrency-limits issue 165: with rtt0 taken from one sample under load, each probe lifts the
// limit.
TEST_F(AdaptiveLimitVegas, DoesNotDriftUpUnderSaturationAsInNetflixIssue165) {
  saturate(limit, 200'000, [](std::int64_t l, int i) {
    if (i < 1000) return;
    ASSERT_GE(l, 25) << "half of it, while it probes";
    ASSERT_LE(l, 57) << "50 and at most 6 in the queue; +1 in a step";
  });
  EXPECT_EQ(limit.baseline(), 10ms);
}

TEST_F(AdaptiveLimitVegas, FindsALastingChangeOfLatency) {
  saturate(limit, 5000, [](std::int64_t, int) {});
  for (int i = 0; i < 10'000; ++i)
    sample(30ms * std::max<std::int64_t>(50, limit.limit()) / 50, limit.limit(), false);
  EXPECT_EQ(limit.baseline(), 30ms);
  EXPECT_GE(limit.limit(), 25);
}

// ---- gradient2

// Tests below close a window with each sample.
constexpr gradient2_options at_once{.window = 0s, .min_samples = 1};

struct AdaptiveLimitGradient2 : testing::Test {
  adaptive_limit limit{{.gradient2 = at_once}, seed};
  std::int64_t sample(duration rtt, std::int64_t in_flight, bool dropped) {
    return limit.sample(rtt, in_flight, dropped, start);
  }
  std::int64_t full(duration rtt, bool dropped = false) { return sample(rtt, limit.limit(), dropped); }
};

TEST_F(AdaptiveLimitGradient2, GrowsByAShareOfTheQueueWhileLatencyIsSteady) {
  EXPECT_EQ(sample(100ms, 20, false), 20);  // 20.8
  EXPECT_EQ(sample(100ms, 20, false), 21);  // 21.6
  EXPECT_EQ(sample(149ms, 20, false), 22) << "22.4: within the tolerance of 1.5 above the mean of the three";
  for (int i = 0; i < 1000; ++i) full(100ms);
  EXPECT_EQ(limit.limit(), 200);
}

TEST_F(AdaptiveLimitGradient2, ShrinksByAFifthOfTheGradient) {
  adaptive_limit exact(
      {.initial = 100, .gradient2 = {.window = 0s, .min_samples = 1, .long_window = 1'000'000'000}}, seed);
  for (int i = 0; i < 10; ++i) exact.sample(100ms, 1, false, start);
  EXPECT_EQ(exact.limit(), 100);
  // g = 1.5 · 100 / 200 = 0.75: 0.8 · 100 + 0.2 · 75 = 95, and a hair, as the average moves a hair
  EXPECT_EQ(exact.sample(200ms, 100, false, start), 95);
  // g = 0.5 at the least: 0.9 · 95
  EXPECT_EQ(exact.sample(10s, 100, false, start), 85);
}

TEST_F(AdaptiveLimitGradient2, AveragesPlainlyAtFirstThenExponentially) {
  for (int i = 1; i <= 10; ++i) sample(10ms * i, 1, false);
  EXPECT_EQ(limit.baseline(), 55ms);
  sample(55ms + 601ms, 1, false);
  EXPECT_NEAR(static_cast<double>(limit.baseline().count()), 57e6, 1);  // + 601 · 2 / 601
}

TEST_F(AdaptiveLimitGradient2, ComesDownFasterOnceLoadIsOver) {
  for (int i = 0; i < 10; ++i) sample(1s, 1, false);
  const double before = static_cast<double>(limit.baseline().count());
  sample(100ms, 1, false);
  const double average = before + (1e8 - before) * 2 / 601;
  EXPECT_NEAR(static_cast<double>(limit.baseline().count()), average * 0.95, 1);
}

TEST_F(AdaptiveLimitGradient2, NeitherGrowsNorShrinksWhileIdle) {
  for (int i = 0; i < 10; ++i) sample(100ms, 9, false);
  sample(900ms, 9, false);
  EXPECT_EQ(limit.limit(), 20);
  for (int i = 0; i < 100; ++i) sample(100ms, 9, false);
  EXPECT_EQ(limit.limit(), 20);
}

TEST_F(AdaptiveLimitGradient2, ShrinksOnDropsEvenWhileIdle) {
  EXPECT_EQ(sample(1ms, 1, true), 18);
  EXPECT_EQ(limit.baseline(), 0ms) << "a drop is no latency";
}

TEST_F(AdaptiveLimitGradient2, DecidesOnceAWindowOfEnoughSamples) {
  adaptive_limit windowed({.initial = 100}, seed);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(windowed.sample(100ms, 100, false, start + i * 1ms), 100);
  EXPECT_EQ(windowed.sample(100ms, 100, false, start + 1s - 1ns), 100);
  windowed.sample(100ms, 100, false, start + 1s);
  EXPECT_EQ(windowed.baseline(), 100ms);
  // The next window: nine samples are too few, and the tenth closes it, however late.
  for (int i = 0; i < 9; ++i) windowed.sample(300ms, 100, true, start + 2s + i * 1s);
  EXPECT_EQ(windowed.limit(), 100);
  EXPECT_EQ(windowed.sample(300ms, 100, true, start + 11s), 90);
}

TEST_F(AdaptiveLimitGradient2, WeighsDropsByTheirShareOfTheWindow) {
  adaptive_limit windowed({.initial = 100, .gradient2 = {.window = 0s, .min_samples = 10}}, seed);
  for (int i = 0; i < 10; ++i) windowed.sample(100ms, 100, i == 0, start);
  EXPECT_EQ(windowed.limit(), 99);  // g = 0.95, 0.9 of the queue: 100 + 0.2 · (−5 + 3.6) = 99.72
  for (int i = 0; i < 10; ++i) windowed.sample(100ms, 1, i == 0, start);
  EXPECT_EQ(windowed.limit(), 98) << "idle: the same without the queue's share, 98.72";
}

// Netflix/concurrency-limits issue 137: a server that times out constantly has a perfectly steady latency,
// and the limit went to its most.
TEST_F(AdaptiveLimitGradient2, GoesToItsLeastUnderConstantTimeoutsAsInNetflixIssue137) {
  adaptive_limit windowed({.min = 2}, seed);
  instant now = start;
  const auto run = [&](int samples, duration rtt, bool dropped) {
    for (int i = 0; i < samples; ++i) {
      now += rtt / windowed.limit();
      windowed.sample(rtt, windowed.limit(), dropped, now);
    }
  };
  run(20'000, 50ms, false);
  EXPECT_EQ(windowed.limit(), 44);
  const auto usual = windowed.baseline();
  run(500, 5s, true);
  EXPECT_EQ(windowed.limit(), 2);
  EXPECT_EQ(windowed.baseline(), usual);
  run(20'000, 50ms, false);
  EXPECT_GE(windowed.limit(), 40) << "and comes back";
}

// Netflix/concurrency-limits pull request 134: at a gradient of 0.8 the queue's share outweighed the gradient
// below a limit of queue / (1 − 0.8), so that overload held or raised it.
TEST_F(AdaptiveLimitGradient2, NeverGrowsWhileLatencyRisesAsInNetflixPullRequest134) {
  for (int i = 0; i < 10; ++i) sample(100ms, 1, false);
  std::int64_t before = limit.limit();
  for (int i = 0; i < 200; ++i) {
    const auto rising =
        duration{static_cast<std::int64_t>(1.5 / 0.8 * static_cast<double>(limit.baseline().count()))};
    const std::int64_t now = full(rising);
    ASSERT_LE(now, before);
    before = now;
  }
  EXPECT_EQ(limit.limit(), 1);
}

// What it cannot do, as its header says.
TEST_F(AdaptiveLimitGradient2, FollowsItsOwnQueueToItsMostWhereCallersAlwaysFillIt) {
  saturate(limit, 10'000, [](std::int64_t, int) {});
  EXPECT_EQ(limit.limit(), 200);
}

TEST(AdaptiveLimit, KeepsItsLimitUnderNewOptions) {
  adaptive_limit limit({.algorithm = limit_algorithm::vegas}, seed);
  EXPECT_EQ(limit.sample(10ms, 20, true, start), 19);
  limit.sample(10ms, 20, false, start);
  limit.reconfigure({.algorithm = limit_algorithm::vegas, .vegas = {.probe_multiplier = 5}});
  EXPECT_EQ(limit.limit(), 19);
  EXPECT_EQ(limit.baseline(), 10ms);
  EXPECT_THROW(limit.reconfigure({.min = 0}), std::invalid_argument);
  EXPECT_EQ(limit.options().vegas.probe_multiplier, 5);
  limit.reconfigure({.algorithm = limit_algorithm::aimd, .initial = 10, .max = 15});
  EXPECT_EQ(limit.limit(), 15);
  EXPECT_EQ(limit.baseline(), 0ms) << "that of another algorithm";
}

TEST(AdaptiveLimitOptions, NameTheOptionItsValueAndItsRange) {
  const auto refused = [](const adaptive_limit_options& o) {
    try {
      adaptive_limit(o, seed);
    } catch (const std::invalid_argument& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refused({}), "accepted");
  EXPECT_EQ(refused({.min = 0}), "adaptive_limit.min is 0; must be at least 1");
  EXPECT_EQ(refused({.min = 5, .max = 4}), "adaptive_limit.max is 4; must be min to 1e6");
  EXPECT_EQ(refused({.max = 10}), "adaptive_limit.initial is 20; must be min to max");
  EXPECT_EQ(refused({.aimd = {.backoff_ratio = 1}}),
            "adaptive_limit.aimd.backoff_ratio is 1; must be at least 0.5 and below 1");
  EXPECT_NE(refused({.aimd = {.timeout = 0s}}), "accepted");
  EXPECT_NE(refused({.vegas = {.probe_multiplier = 0}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.window = -1s}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.min_samples = 0}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.queue = -1}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.tolerance = std::nan("")}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.smoothing = 0}}), "accepted");
  EXPECT_NE(refused({.gradient2 = {.long_window = 0}}), "accepted");
}

}  // namespace
}  // namespace dspu::core
