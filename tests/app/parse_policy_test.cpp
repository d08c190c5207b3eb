#include "dspu/parse_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using dspu::core::limit_algorithm;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseRetryBudget, ReadsShareAndFloor) {
  EXPECT_EQ(parse_retry_budget("20%").retries_per_call, 0.2);
  EXPECT_EQ(parse_retry_budget("20%").min_retries_per_second, 10);
  EXPECT_EQ(parse_retry_budget("0.5,floor=30/m").retries_per_call, 0.5);
  EXPECT_EQ(parse_retry_budget("0.5,floor=30/m").min_retries_per_second, 0.5);
  EXPECT_EQ(parse_retry_budget("0,floor=0").min_retries_per_second, 0);
}

TEST(ParseRetryBudget, RefusesWhatIsNone) {
  for (const char* text : {"", "20", "120%", "20%,", "20%,floor", "20%,floor=", "20%,roof=1/s",
                           "20%,floor=1/s,floor=2/s", "20%,floor=1/s,burst=3", "floor=1/s"}) {
    EXPECT_THAT(refusal([&] { parse_retry_budget(text); }),
                AllOf(HasSubstr("'" + std::string(text) + "'"), HasSubstr("20%")))
        << text;
  }
}

TEST(ParseAdaptiveConcurrency, ReadsAlgorithmAndLimits) {
  EXPECT_EQ(parse_adaptive_concurrency("aimd").algorithm, limit_algorithm::aimd);
  EXPECT_EQ(parse_adaptive_concurrency("vegas").algorithm, limit_algorithm::vegas);
  const auto usual = parse_adaptive_concurrency("gradient2");
  EXPECT_EQ(usual.initial, 8);
  EXPECT_EQ(usual.min, 1);
  EXPECT_EQ(usual.max, 200);
  const auto set = parse_adaptive_concurrency("vegas,max=64,min=10,initial=20");
  EXPECT_EQ(set.min, 10);
  EXPECT_EQ(set.max, 64);
  EXPECT_EQ(set.initial, 20);
  EXPECT_EQ(parse_adaptive_concurrency("vegas,max=4").initial, 4);
}

TEST(ParseAdaptiveConcurrency, RefusesWhatIsNone) {
  for (const char* text : {"", "cubic", "http://h", "vegas,min=0", "vegas,max=100001", "vegas,min=9,max=8",
                           "vegas,initial=300", "vegas,most=4", "vegas,max=4x", "min=2"}) {
    EXPECT_THAT(refusal([&] { parse_adaptive_concurrency(text); }), HasSubstr("aimd, vegas or gradient2"))
        << text;
  }
}

TEST(ParseHedge, ReadsDelayOrPercentile) {
  EXPECT_EQ(parse_hedge("250ms").delay, 250ms);
  EXPECT_EQ(parse_hedge("250ms").max_hedges, 1);
  EXPECT_FALSE(parse_hedge("250ms").quantile.has_value());
  EXPECT_EQ(parse_hedge("p95").quantile, 0.95);
  EXPECT_DOUBLE_EQ(*parse_hedge("p99.9,max=3").quantile, 0.999);
  EXPECT_EQ(parse_hedge("p99.9,max=3").max_hedges, 3);
}

TEST(ParseHedge, RefusesWhatIsNone) {
  for (const char* text :
       {"", "p", "p0", "p100", "p-5", "pnan", "95", "250", "1s,max=0", "1s,max=11", "1s,min=1", "p95x"}) {
    EXPECT_THAT(refusal([&] { parse_hedge(text); }), HasSubstr("'" + std::string(text) + "'")) << text;
  }
}

TEST(ParseMinSpeed, ReadsBytesASecondAndATime) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_min_speed("10k"), (speed_limit{.bytes_per_second = 10'240, .over = 30s}));
  EXPECT_EQ(parse_min_speed("1KiB,1m"), (speed_limit{.bytes_per_second = 1024, .over = 60s}));
  for (const char* text : {"", "0", "10k,", "10k,0s", "10k,999ms", "fast", "10k/s", "10k,1m,1m", "-1"})
    EXPECT_THROW(parse_min_speed(text), std::invalid_argument) << text;
}

}  // namespace
