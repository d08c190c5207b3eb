#include "dspu/origin_pace.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
namespace core = dspu::core;

constexpr core::instant start{1h};

pace_report report_of(std::optional<double> rate, std::optional<std::int64_t> burst, std::uint64_t refused) {
  return {.learnt = {.rate = rate, .burst = burst}, .admitted = 100, .refused = refused};
}

TEST(OriginPace, IsDescribedInAUnitThatFits) {
  EXPECT_EQ(describe(report_of(50, 20, 3)), "about 50/s, burst 20; 3 refused");
  EXPECT_EQ(describe(report_of(1.6667, 1, 0)), "about 1.67/s, burst 1; 0 refused");
  EXPECT_EQ(describe(report_of(0.075, std::nullopt, 1)), "about 4.5/m; 1 refused");
  EXPECT_EQ(describe(report_of(std::nullopt, std::nullopt, 2)), "no limit found; 2 refused");
}

TEST(OriginPace, GivesOptionsThatStateWhatWasLearnt) {
  EXPECT_EQ(options_that_state({}), "");
  EXPECT_EQ(options_that_state({{"http://a", report_of(std::nullopt, std::nullopt, 1)}}), "");
  EXPECT_EQ(options_that_state({{"http://a", report_of(49.96, 20, 3)}, {"http://b:81", report_of(1234.5, 1, 3)}}),
            "--origin-rate 'http://a=50/s,burst=20' --origin-rate 'http://b:81=1234/s'");
  pace_report narrow = report_of(std::nullopt, std::nullopt, 3);
  narrow.learnt.concurrency = 4;
  EXPECT_EQ(options_that_state({{"http://a", narrow}}), "--host-concurrency 4");
}

TEST(OriginPace, TellsOfWhatAnAnswerSays) {
  attempt_result refused;
  refused.response.status = 429;
  refused.retry_after = 2s;
  EXPECT_EQ(limit_facts_of(refused).retry_after, 2s);
  attempt_result created;  // its Retry-After is about something else
  created.response.status = 201;
  created.retry_after = 2s;
  created.quota = rate_quota{100, 41.5, 30s};
  EXPECT_EQ(limit_facts_of(created).retry_after, std::nullopt);
  EXPECT_EQ(limit_facts_of(created).limit, 100);
  EXPECT_EQ(limit_facts_of(created).remaining, 41);
  EXPECT_EQ(limit_facts_of(created).reset, 30s);
}

TEST(OriginPace, LetsEverythingGoIfNothingIsToBeLearnt) {
  origin_pace pace(std::nullopt, start);
  EXPECT_FALSE(pace.learns());
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(pace.ready_at(start), start);
    pace.settle(pace.send(start), origin_pace::sign::refused, {}, start);
  }
  EXPECT_EQ(pace.report().refused, 100u);
  EXPECT_EQ(pace.gap(), 0s);
  EXPECT_FALSE(pace.news(start));
}

TEST(OriginPace, IsNewsOnlyIfItHasChangedByMuch) {
  origin_pace pace(core::adaptive_rate_options{.initial_rate = 10}, start);
  const auto first = pace.news(start);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->learnt.rate, 10);
  EXPECT_FALSE(pace.news(start + 1min));
  EXPECT_EQ(pace.gap(), 100ms);
}

}  // namespace
