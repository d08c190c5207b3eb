#include "dspu/core/adaptive_rate_machine.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000s};

static_assert(std::is_trivially_copyable_v<adaptive_rate_machine>, "no memory of its own");

std::string refusal_of(const adaptive_rate_options& o) {
  try {
    adaptive_rate_machine machine(o, start);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "";
}

TEST(AdaptiveRateMachine, NamesTheOptionItsValueAndItsRange) {
  EXPECT_EQ(refusal_of({.min_rate = 0}), "adaptive_rate.min_rate is 0; must be above 0 and at most max_rate");
  EXPECT_EQ(refusal_of({.initial_rate = 5, .max_rate = 2}),
            "adaptive_rate.initial_rate is 5; must be min_rate to max_rate");
  EXPECT_EQ(refusal_of({.max_burst = 0}), "adaptive_rate.max_burst is 0; must be 1 to 1e6");
  EXPECT_EQ(refusal_of({.max_concurrency = 0}), "adaptive_rate.max_concurrency is 0; must be 1 to 1e6");
  EXPECT_EQ(refusal_of({.max_hold = -1s}), "adaptive_rate.max_hold is -1 s; must be at least 0 s");
}

TEST(AdaptiveRateMachine, LetsNothingGoBeforeARetryAfter) {
  adaptive_rate_machine pace({}, start);
  const auto call = pace.send(start);
  pace.refused(call, start + 10ms, {.retry_after = 3s});
  EXPECT_EQ(pace.held_until(), start + 3010ms);
  EXPECT_GE(pace.ready_at(start + 20ms), start + 3010ms);
  EXPECT_EQ(pace.in_flight(), 0);
}

TEST(AdaptiveRateMachine, SpacesCallsOnceARateIsStated) {
  adaptive_rate_machine pace({.initial_rate = 10}, start);
  EXPECT_EQ(pace.ready_at(start), start);
  pace.send(start);
  EXPECT_EQ(pace.ready_at(start), start + 100ms);
}

}  // namespace
}  // namespace dspu::core
