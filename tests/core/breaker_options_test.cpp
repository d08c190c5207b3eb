#include "dspu/core/breaker_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

std::string complaint(const breaker_options& o) {
  try {
    check(o);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

TEST(BreakerOptions, AreFineAsTheyAre) { EXPECT_EQ(complaint({}), ""); }

TEST(BreakerOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_EQ(complaint({.failure_threshold = 0}), "circuit_breaker.failure_threshold is 0; must be at least 1");
  EXPECT_EQ(complaint({.success_threshold = 0}), "circuit_breaker.success_threshold is 0; must be at least 1");
  EXPECT_EQ(complaint({.timeout = -1s}), "circuit_breaker.timeout is -1 s; must be at least 0 s");
  EXPECT_EQ(complaint({.half_open_max_calls = 0}), "circuit_breaker.half_open_max_calls is 0; must be at least 1");
  EXPECT_EQ(complaint({.timeout_multiplier = 0.5}),
            "circuit_breaker.timeout_multiplier is 0.5; must be a finite number of at least 1");
  EXPECT_EQ(complaint({.max_timeout = 0s}), "circuit_breaker.max_timeout is 0 s; must be above 0 s");
  EXPECT_EQ(complaint({.probe_timeout = 0s}), "circuit_breaker.probe_timeout is 0 s; must be above 0 s");
  EXPECT_EQ(complaint({.max_retry_after = -1s}), "circuit_breaker.max_retry_after is -1 s; must be at least 0 s");
}

TEST(BreakerOptions, OfTheWindowAreCheckedToo) {
  EXPECT_EQ(complaint({.window = {.calls = 0}}), "circuit_breaker.window.calls is 0; must be in [1, 1000000]");
  EXPECT_EQ(complaint({.window = {.calls = 1'000'001}}),
            "circuit_breaker.window.calls is 1000001; must be in [1, 1000000]");
  EXPECT_EQ(complaint({.window = {.time = 0s}}), "circuit_breaker.window.time is 0 s; must be above 0 s");
  EXPECT_EQ(complaint({.window = {.calls = 1, .time = 1s}}),
            "circuit_breaker.window.time is 1 s; must be left out where window.calls is given");
  EXPECT_EQ(complaint({.window = {.time = 1s, .buckets = 0}}),
            "circuit_breaker.window.buckets is 0; must be in [1, 1000]");
  EXPECT_EQ(complaint({.window = {.calls = 5, .min_calls = 0}}),
            "circuit_breaker.window.min_calls is 0; must be at least 1");
  EXPECT_EQ(complaint({.window = {.calls = 5, .failure_rate = 0}}),
            "circuit_breaker.window.failure_rate is 0; must be above 0, at most 1");
  EXPECT_EQ(complaint({.window = {.calls = 5, .failure_rate = std::numeric_limits<double>::quiet_NaN()}}),
            "circuit_breaker.window.failure_rate is nan; must be above 0, at most 1");
  EXPECT_EQ(complaint({.window = {.calls = 5, .slow_rate = 1.01}}),
            "circuit_breaker.window.slow_rate is 1.01; must be above 0, at most 1");
  EXPECT_EQ(complaint({.window = {.calls = 5, .slow_call = -1s}}),
            "circuit_breaker.window.slow_call is -1 s; must be at least 0 s");
}

TEST(BreakerOptions, RefuseWhatWouldHaveNoEffect) {
  EXPECT_THAT(complaint({.window = {.slow_call = 1s}}), testing::HasSubstr("must be left out where neither"));
  EXPECT_EQ(complaint({.success_threshold = 1'001, .probe_timeout = 1s}),
            "circuit_breaker.half_open_max_calls is 1001; must be at most 1000 where probe_timeout is given");
}

TEST(BreakerOptions, LetARateStandAlone) {
  EXPECT_EQ(complaint({.failure_threshold = 0, .window = {.calls = 1}}), "");
  EXPECT_NE(complaint({.failure_threshold = -1, .window = {.calls = 1}}), "");
}

}  // namespace
}  // namespace dspu::core
