// The windowed quantile against a sorted list of all that was seen.
#include "dspu/core/latency_quantile.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace dspu::core {
namespace {

struct seen_latency {
  std::int64_t half;  // of the window in which it was seen
  std::int64_t ns;
};

// Latencies of every magnitude, from nanoseconds to hours.
std::int64_t any_latency() {
  const int bits = *rc::gen::inRange(1, 43);
  return *rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << bits);
}

RC_GTEST_PROP(LatencyQuantileProperty, IsTheSampleOfItsRankUpToAThirtySecond, ()) {
  const auto half = *rc::gen::inRange<std::int64_t>(1, 1'000'000);
  const auto least = *rc::gen::inRange<std::int64_t>(1, 30);
  latency_quantile subject({.window = duration{2 * half}, .min_samples = least});
  std::vector<seen_latency> log;
  std::int64_t now = 0;
  for (int i = 0; i < 100; ++i) {
    const instant t{duration{now}};
    for (int k = *rc::gen::inRange(0, 10); k > 0; --k) {
      log.push_back({now / half, any_latency()});
      subject.record(duration{log.back().ns}, t);
    }
    std::vector<std::int64_t> lately;
    for (const auto& s : log) {
      if (s.half >= now / half - 1) lately.push_back(s.ns);
    }
    std::ranges::sort(lately);
    RC_ASSERT(subject.samples(t) == std::ssize(lately));

    const auto percent = *rc::gen::inRange<std::int64_t>(0, 101);
    const auto said = subject.quantile(static_cast<double>(percent) / 100, t);
    RC_ASSERT(said.has_value() == (std::ssize(lately) >= least));
    if (said) {
      const std::int64_t rank = std::max<std::int64_t>(1, (percent * std::ssize(lately) + 99) / 100);
      const std::int64_t exact = lately[static_cast<std::size_t>(rank - 1)];
      RC_ASSERT(said->count() >= exact);
      RC_ASSERT((said->count() - exact) * 32 <= exact);
    }
    if (*rc::gen::inRange(0, 3) == 0) now += *rc::gen::inRange<std::int64_t>(0, 2 * half + 2);
  }
}

}  // namespace
}  // namespace dspu::core
