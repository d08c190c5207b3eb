// The adaptive limits against the published formulas written down plainly: whole histories, kept and computed
// afresh.
#include "dspu/core/adaptive_limit.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

struct call {
  std::int64_t rtt;  // ns
  std::int64_t in_flight;
  bool dropped;
  std::int64_t ended;  // ns
};

// Calls around a latency that now and then changes for good; drops come in runs.
std::vector<call> any_history(std::size_t n) {
  std::vector<call> calls;
  std::int64_t usual = 50'000'000;
  std::int64_t now = 0;
  while (calls.size() < n) {
    if (*rc::gen::inRange(0, 4) == 0) usual = *rc::gen::inRange<std::int64_t>(1'000'000, 1'000'000'000);
    const bool dropped = *rc::gen::inRange(0, 4) == 0;
    const auto many = *rc::gen::inRange<std::int64_t>(1, 120);
    const auto spread = *rc::gen::inRange<std::int64_t>(1, 200);  // percent
    for (int i = *rc::gen::inRange(1, 20); i > 0; --i) {
      const std::int64_t rtt = usual + usual * spread / 100 * ((i * 7) % 10) / 10;
      now += rtt / many;
      calls.push_back({rtt, many, dropped, now});
    }
  }
  return calls;
}

adaptive_limit_options any_options(limit_algorithm algorithm) {
  adaptive_limit_options o{.algorithm = algorithm};
  o.min = *rc::gen::inRange<std::int64_t>(1, 30);
  o.max = o.min + *rc::gen::inRange<std::int64_t>(0, 500);
  o.initial = *rc::gen::inRange<std::int64_t>(o.min, o.max + 1);
  o.aimd.timeout = 200ms;
  o.gradient2.window = std::chrono::milliseconds{*rc::gen::inRange(0, 300)};
  o.gradient2.min_samples = *rc::gen::inRange<std::int64_t>(1, 15);
  o.gradient2.long_window = *rc::gen::inRange<std::int64_t>(1, 700);
  return o;
}

std::int64_t feed(adaptive_limit& limit, const call& c) {
  return limit.sample(duration{c.rtt}, c.in_flight, c.dropped, instant{duration{c.ended}});
}

RC_GTEST_PROP(AdaptiveLimitProperty, AimdIsAsPublished, ()) {
  const auto o = any_options(limit_algorithm::aimd);
  adaptive_limit subject(o, 1);
  std::int64_t l = o.initial;
  for (const auto& c : any_history(200)) {
    if (c.dropped || c.rtt > 200'000'000) {
      l = std::max(o.min, std::min(l - 1, l * 9 / 10));
    } else if (c.in_flight * 2 >= l) {
      l = std::min(o.max, l + 1);
    }
    RC_ASSERT(feed(subject, c) == l);
  }
}

// Between probes, which are 1e6 samples apart here.
RC_GTEST_PROP(AdaptiveLimitProperty, VegasIsAsPublished, ()) {
  auto o = any_options(limit_algorithm::vegas);
  o.vegas.probe_multiplier = 1'000'000;
  adaptive_limit subject(o, 1);
  std::int64_t l = o.initial;
  std::vector<std::int64_t> seen;  // latencies
  for (const auto& c : any_history(200)) {
    const std::int64_t log = l >= 100 ? 2 : 1;
    std::int64_t next = l;
    if (c.dropped) {
      next = l - log;
    } else {
      const bool lower = seen.empty() || c.rtt < *std::ranges::min_element(seen);
      seen.push_back(c.rtt);
      const std::int64_t rtt0 = *std::ranges::min_element(seen);
      const std::int64_t queue = (l * (c.rtt - rtt0) + c.rtt - 1) / c.rtt;
      if (lower || c.in_flight * 2 < l) {
        next = l;
      } else if (queue <= log) {
        next = l + 6 * log;
      } else if (queue < 3 * log) {
        next = l + log;
      } else if (queue > 6 * log) {
        next = l - log;
      }
    }
    l = std::clamp(next, o.min, o.max);
    RC_ASSERT(feed(subject, c) == l);
  }
}

struct gradient2_model {
  adaptive_limit_options o;
  double l = static_cast<double>(o.initial);
  std::vector<double> means{};  // of the windows so far
  std::vector<call> open{};

  // After the first ten windows, the sum of all with weights that fall by (1 − f) a window, and cuts by 0.95.
  double average = 0;
  double learn(double mean) {
    means.push_back(mean);
    const double f = 2.0 / (static_cast<double>(o.gradient2.long_window) + 1);
    const auto n = static_cast<double>(means.size());
    average = n <= 10 ? average * ((n - 1) / n) + mean / n : average * (1 - f) + mean * f;
    const double now = average;
    if (average > 2 * mean) average *= 0.95;
    return now;
  }
  void take(const call& c, std::int64_t opened) {
    open.push_back(c);
    if (c.ended < opened + o.gradient2.window.count()) return;
    if (std::ssize(open) < o.gradient2.min_samples) return;
    const auto drops = static_cast<double>(std::ranges::count_if(open, &call::dropped));
    const auto all = static_cast<double>(open.size());
    double sum = 0;
    for (const auto& x : open) sum += x.dropped ? 0.0 : static_cast<double>(x.rtt);
    double g = 1;
    if (drops < all) {
      const double mean = sum / (all - drops);
      g = std::clamp(1.5 * learn(mean) / mean, 0.5, 1.0);
    }
    const auto most = std::ranges::max(open, {}, &call::in_flight).in_flight;
    open.clear();
    const bool idle = static_cast<double>(most) < l / 2;
    if (idle && drops == 0) return;
    const double share = drops / all;
    const double queue = g < 1 || idle ? 0.0 : 4 * (1 - share);
    const double next = l * (g * (1 - share) + 0.5 * share) + queue;
    l = std::clamp(l * 0.8 + next * 0.2, static_cast<double>(o.min), static_cast<double>(o.max));
  }
};

RC_GTEST_PROP(AdaptiveLimitProperty, Gradient2IsAsDocumented, ()) {
  const auto o = any_options(limit_algorithm::gradient2);
  adaptive_limit subject(o, 1);
  gradient2_model m{o};
  std::int64_t opened = 0;
  for (const auto& c : any_history(300)) {
    if (m.open.empty()) opened = c.ended;
    m.take(c, opened);
    // The two round differently: a limit within a hair of a whole number may fall on either side.
    const auto l = static_cast<double>(feed(subject, c));
    RC_ASSERT(l <= m.l + 1e-6);
    RC_ASSERT(l + 1 >= m.l - 1e-6);
    RC_ASSERT(std::abs(static_cast<double>(subject.baseline().count()) - m.average) <= 2);
  }
}

limit_algorithm any_algorithm() {
  return *rc::gen::element(limit_algorithm::aimd, limit_algorithm::vegas, limit_algorithm::gradient2);
}

RC_GTEST_PROP(AdaptiveLimitProperty, NeverGrowsOnADropOrWhileIdle, ()) {
  auto o = any_options(any_algorithm());
  o.vegas.probe_multiplier = 1'000'000;  // the end of a probe gives back what its beginning took
  o.gradient2.window = 0s;
  o.gradient2.min_samples = 1;
  adaptive_limit subject(o, 1);
  for (const auto& c : any_history(300)) {
    const std::int64_t before = subject.limit();
    const std::int64_t after = feed(subject, c);
    if (c.dropped || 2 * c.in_flight < before) RC_ASSERT(after <= before);
  }
}

// Whatever a drop's latency is said to be, nothing changes.
RC_GTEST_PROP(AdaptiveLimitProperty, StaysInItsBoundsAndNeverLooksAtTheLatencyOfADrop, ()) {
  auto o = any_options(any_algorithm());
  o.vegas.probe_multiplier = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  adaptive_limit one(o, seed);
  adaptive_limit other(o, seed);
  for (auto c : any_history(300)) {
    feed(one, c);
    if (c.dropped) c.rtt = *rc::gen::inRange<std::int64_t>(0, 10'000'000'000);
    feed(other, c);
    RC_ASSERT(one.limit() == other.limit());
    RC_ASSERT(one.baseline() == other.baseline());
    RC_ASSERT(one.limit() >= o.min);
    RC_ASSERT(one.limit() <= o.max);
  }
}

}  // namespace
}  // namespace dspu::core
