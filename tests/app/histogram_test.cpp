#include "dspu/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(Histogram, IsZeroWhenEmpty) {
  EXPECT_EQ(histogram().percentile(0.5), 0s);
  EXPECT_EQ(histogram().max(), 0s);
}

TEST(Histogram, IsExactForOneValue) {
  for (const nanoseconds value : {nanoseconds(0ns), nanoseconds(1ms), nanoseconds(37h), nanoseconds::max()}) {
    histogram h;
    h.add(value);
    EXPECT_EQ(h.percentile(0.0), h.percentile(1.0));
    EXPECT_LE(h.percentile(0.5), value);
    EXPECT_EQ(h.max(), value);
  }
}

TEST(Histogram, CountsNegativeAsZero) {
  histogram h;
  h.add(-5s);
  EXPECT_EQ(h.percentile(0.5), 0s);
}

TEST(Histogram, IsWithinThreePercentOfTheTruth) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> spread(10, 2);
  histogram h;
  std::vector<nanoseconds> all;
  for (int i = 0; i < 20000; ++i) {
    all.emplace_back(static_cast<std::int64_t>(spread(random) * 1e3));
    h.add(all.back());
  }
  std::ranges::sort(all);
  for (const double share : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    const auto truth =
        static_cast<double>(all[static_cast<std::size_t>(std::ceil(share * 20000)) - 1].count());
    EXPECT_NEAR(static_cast<double>(h.percentile(share).count()), truth, truth * 0.035 + 1000) << share;
  }
}

}  // namespace
