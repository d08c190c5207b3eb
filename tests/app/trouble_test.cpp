#include "dspu/trouble.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

namespace dspu::app {
namespace {

using namespace std::chrono_literals;

serve_options some_of_everything() {
  serve_options o;
  o.failure_rate = 0.1;
  o.reset_rate = 0.1;
  o.truncate_rate = 0.05;
  o.slow_rate = 0.04;
  o.silent_rate = 0.03;
  o.wrong_length_rate = 0.02;
  o.endless_rate = 0.01;
  o.failure_statuses = {500, 503};
  o.latency = {latency_spec::shape::lognormal, 20ms};
  return o;
}

TEST(Trouble, DependsOnSeedAndNumberOnly) {
  serve_options o = some_of_everything();
  const trouble a(o);
  const trouble b(o);
  o.seed = 2;
  const trouble other(o);
  int differences = 0;
  for (std::uint64_t n = 1000; n-- > 0;) {
    const fate f = a.of(n);
    EXPECT_EQ(f.kind, b.of(n).kind);
    EXPECT_EQ(f.latency, b.of(n).latency);
    EXPECT_EQ(f.failure_status, b.of(n).failure_status);
    if (f.latency != other.of(n).latency) ++differences;
  }
  EXPECT_GT(differences, 990);
}

TEST(Trouble, KeepsItsShares) {
  const trouble dice(some_of_everything());
  constexpr int draws = 200'000;
  std::map<answer_kind, int> counts;
  std::map<unsigned, int> statuses;
  for (std::uint64_t n = 0; n < draws; ++n) {
    const fate f = dice.of(n);
    ++counts[f.kind];
    if (f.kind == answer_kind::failure) ++statuses[f.failure_status];
  }
  const std::pair<answer_kind, double> expected[] = {{answer_kind::ok, 0.65},
                                                     {answer_kind::failure, 0.1},
                                                     {answer_kind::reset_in_header, 0.05},
                                                     {answer_kind::reset_in_body, 0.05},
                                                     {answer_kind::truncated, 0.05},
                                                     {answer_kind::slow, 0.04},
                                                     {answer_kind::silent, 0.03},
                                                     {answer_kind::wrong_length, 0.02},
                                                     {answer_kind::endless, 0.01}};
  // The seed is fixed, so these hold or fail for good; five standard deviations are at most 0.0054.
  for (const auto& [kind, share] : expected)
    EXPECT_NEAR(static_cast<double>(counts[kind]) / draws, share, 0.0054) << to_string(kind);
  EXPECT_NEAR(static_cast<double>(statuses[500]) / statuses[503], 1, 0.1);
}

TEST(Trouble, DrawsLatenciesAroundTheirMedian) {
  for (const auto shape : {latency_spec::shape::constant, latency_spec::shape::uniform,
                           latency_spec::shape::exponential, latency_spec::shape::lognormal}) {
    serve_options o;
    o.latency = {shape, 20ms};
    const trouble dice(o);
    std::vector<std::chrono::nanoseconds> drawn;
    for (std::uint64_t n = 0; n < 20'001; ++n) drawn.push_back(dice.of(n).latency);
    std::ranges::sort(drawn);
    EXPECT_GE(drawn.front(), 0ns);
    EXPECT_NEAR(static_cast<double>(drawn[10'000].count()), 20e6, 1e6) << static_cast<int>(shape);
    if (shape == latency_spec::shape::constant) {
      EXPECT_EQ(drawn.front(), drawn.back());
    }
    if (shape == latency_spec::shape::uniform) {
      EXPECT_LE(drawn.back(), 40ms);
    }
    if (shape == latency_spec::shape::lognormal) {
      EXPECT_NEAR(static_cast<double>(drawn[19'800].count()), 64e6, 6e6) << "p99";
    }
  }
}

TEST(Trouble, KnowsItsOutages) {
  serve_options o;
  o.outages = {{10s, 15s, outage_window::mode::refuse}, {20s, 21s, outage_window::mode::unavailable}};
  const trouble dice(o);
  EXPECT_EQ(dice.outage(10s - 1ns), nullptr);
  ASSERT_NE(dice.outage(10s), nullptr);
  EXPECT_EQ(dice.outage(15s - 1ns)->how, outage_window::mode::refuse);
  EXPECT_EQ(dice.outage(15s), nullptr);
  EXPECT_EQ(dice.outage(20s)->how, outage_window::mode::unavailable);
}

TEST(ServeOptions, NameWhatIsOutOfRange) {
  const auto error = [](auto change) -> std::string {
    serve_options o;
    change(o);
    try {
      check(o);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "accepted";
  };
  using o = serve_options;
  EXPECT_EQ(error([](o&) {}), "accepted");
  EXPECT_EQ(error([](o& x) { x.failure_rate = 1.5; }), "failure rate is 1.5; it must be from 0 to 1");
  EXPECT_EQ(error([](o& x) { x.endless_rate = -0.1; }), "endless rate is -0.1; it must be from 0 to 1");
  EXPECT_EQ(error([](o& x) { x.failure_rate = x.reset_rate = 0.6; }),
            "the sum of all rates of trouble is 1.2; it must be at most 1");
  EXPECT_EQ(error([](o& x) { x.failure_statuses = {200}; }),
            "failure status is 200; it must be from 400 to 599");
  EXPECT_NE(error([](o& x) { x.failure_statuses = {}; }), "accepted");
  EXPECT_NE(error([](o& x) { x.address = "localhost"; }), "accepted");
  EXPECT_NE(error([](o& x) { x.address = "0.0.0.0"; }), "accepted");
  EXPECT_EQ(error([](o& x) { x.address = "0.0.0.0", x.allow_any_address = true; }), "accepted");
  EXPECT_EQ(error([](o& x) { x.address = "::1"; }), "accepted");
  EXPECT_NE(error([](o& x) { x.outages = {{5s, 5s, {}}}; }), "accepted");
  EXPECT_NE(error([](o& x) { x.limit = request_limit{}; }), "accepted");
  EXPECT_NE(error([](o& x) { x.limit = request_limit{.amount = 1, .burst = 0.5}; }), "accepted");
  EXPECT_NE(error([](o& x) { x.certificate = "a.pem"; }), "accepted");
}

}  // namespace
}  // namespace dspu::app
