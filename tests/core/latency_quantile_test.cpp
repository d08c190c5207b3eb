#include "dspu/core/latency_quantile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'200s};  // a half of the default window begins here

static_assert(std::is_trivially_copyable_v<latency_quantile>, "no memory of its own");
static_assert(sizeof(latency_quantile) < 10'500, "as its header says");

TEST(LatencyQuantile, SaysNothingBelowItsLeastNumberOfSamples) {
  latency_quantile seen({});
  EXPECT_FALSE(seen.quantile(0.5, start));
  for (int i = 0; i < 19; ++i) seen.record(10ns, start);
  EXPECT_FALSE(seen.quantile(0.5, start));
  seen.record(10ns, start);
  EXPECT_EQ(seen.quantile(0.5, start), 10ns);
}

TEST(LatencyQuantile, TakesTheSampleOfTheNearestRank) {
  latency_quantile seen({});
  for (int i = 1; i <= 50; ++i) seen.record(duration{i}, start);  // up to 63 ns exactly
  EXPECT_EQ(seen.quantile(0, start), 1ns);
  EXPECT_EQ(seen.quantile(0.02, start), 1ns);
  EXPECT_EQ(seen.quantile(0.14, start), 7ns) << "0.14 * 50 is more than 7 in binary";
  EXPECT_EQ(seen.quantile(0.141, start), 8ns);
  EXPECT_EQ(seen.quantile(0.5, start), 25ns);
  EXPECT_EQ(seen.quantile(0.95, start), 48ns);
  EXPECT_EQ(seen.quantile(1, start), 50ns);
}

TEST(LatencyQuantile, IsNeverTooLowAndAtMostAThirtySecondTooHigh) {
  for (double ns = 1; ns < 0x1p43; ns *= 1.01) {
    latency_quantile seen({.min_samples = 1});
    const duration sample{static_cast<std::int64_t>(ns)};
    seen.record(sample, start);
    const duration said = *seen.quantile(0.5, start);
    ASSERT_GE(said, sample);
    ASSERT_LE((said - sample).count() * 32, sample.count()) << sample.count();
  }
}

TEST(LatencyQuantile, BoundsItsErrorAtTheEdgesOfItsBuckets) {
  for (int bit = 6; bit < 43; ++bit) {
    for (const std::int64_t off : {-1, 0, 1}) {
      latency_quantile seen({.min_samples = 1});
      const duration sample{(std::int64_t{1} << bit) + off};
      seen.record(sample, start);
      const duration said = *seen.quantile(1, start);
      ASSERT_GE(said, sample);
      ASSERT_LE((said - sample).count() * 32, sample.count()) << sample.count();
    }
  }
}

TEST(LatencyQuantile, CutsWhatIsOutOfItsRange) {
  latency_quantile seen({.min_samples = 1});
  seen.record(-5s, start);
  EXPECT_EQ(seen.quantile(1, start), 0ns);
  seen.record(duration::max(), start);
  EXPECT_EQ(seen.quantile(1, start), duration{(std::int64_t{1} << 43) - 1});
}

TEST(LatencyQuantile, CountsASampleForHalfAWindowAtLeastAndAWholeOneAtMost) {
  latency_quantile seen({.min_samples = 1});
  seen.record(10ns, start);
  seen.record(20ns, start + 30s - 1ns);
  seen.record(30ns, start + 30s);
  EXPECT_EQ(seen.samples(start + 60s - 1ns), 3);
  EXPECT_EQ(seen.samples(start + 60s), 1);
  EXPECT_EQ(seen.quantile(0, start + 60s), 30ns);
  EXPECT_EQ(seen.samples(start + 90s), 0);
  EXPECT_FALSE(seen.quantile(0.5, start + 90s));
}

TEST(LatencyQuantile, ForgetsAllAfterALongPause) {
  latency_quantile seen({.min_samples = 1});
  seen.record(10ns, start);
  seen.record(20ns, start + 30s);
  EXPECT_EQ(seen.samples(start + 24h), 0);
}

TEST(LatencyQuantile, ForgetsNothingWhenTheClockStepsBack) {
  latency_quantile seen({.min_samples = 1});
  seen.record(10ns, start);
  seen.record(20ns, start - 1h);
  EXPECT_EQ(seen.samples(start - 2h), 2);
  EXPECT_EQ(seen.samples(start + 30s), 2);
  EXPECT_EQ(seen.samples(start + 60s), 0);
}

TEST(LatencyQuantile, KeepsItsHalvesApartAcrossTheEpoch) {
  latency_quantile seen({.min_samples = 1});
  seen.record(10ns, instant{-1ns});
  EXPECT_EQ(seen.samples(instant{30s - 1ns}), 1);
  EXPECT_EQ(seen.samples(instant{30s}), 0);
}

TEST(LatencyQuantile, KeepsWhatItHasSeenUnderNewOptions) {
  latency_quantile seen({.window = 60s, .min_samples = 2});
  seen.record(10ns, start - 30s);
  seen.record(20ns, start);
  seen.reconfigure({.window = 10s, .min_samples = 1}, start);
  EXPECT_EQ(seen.samples(start), 2);
  seen.record(30ns, start + 5s);
  EXPECT_EQ(seen.samples(start + 5s), 2) << "the older half has gone";
  EXPECT_EQ(seen.quantile(0, start + 5s), 20ns);
  EXPECT_EQ(seen.samples(start + 10s), 1);

  seen.reconfigure({.window = 1h, .min_samples = 2}, start + 10s);
  EXPECT_FALSE(seen.quantile(0, start + 10s));
  seen.record(40ns, start + 9min);
  EXPECT_EQ(seen.quantile(0, start + 9min), 30ns);
  EXPECT_THROW(seen.reconfigure({.window = 1ns}, start), std::invalid_argument);
  EXPECT_EQ(seen.options().window, 1h);
}

TEST(LatencyQuantileOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(latency_quantile({.window = 1ns}), std::invalid_argument);
  EXPECT_THROW(latency_quantile({.min_samples = 0}), std::invalid_argument);
  latency_quantile seen({});
  EXPECT_THROW(seen.quantile(std::nan(""), start), std::invalid_argument);
  try {
    seen.quantile(95, start);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "latency_quantile.q is 95; must be 0 to 1");
  }
}

}  // namespace
}  // namespace dspu::core
