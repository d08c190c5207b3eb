#include "dspu/core/throttle_machine.hpp"

#include "dspu/core/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'200s};  // a step of the default window begins here

static_assert(std::is_trivially_copyable_v<throttle_machine>, "no memory of its own");

void record(throttle_machine& t, int accepted, int refused, instant now) {
  for (int i = 0; i < accepted; ++i) t.record(true, now);
  for (int i = 0; i < refused; ++i) t.record(false, now);
}

TEST(ThrottleMachine, AdmitsAllWhileTheServerAcceptsHalf) {
  throttle_machine t({});
  EXPECT_EQ(t.rejection_probability(start), 0);
  record(t, 50, 50, start);
  EXPECT_EQ(t.rejection_probability(start), 0);
  EXPECT_TRUE(t.admit(0, start));
}

TEST(ThrottleMachine, RefusesWithTheProbabilityOfTheBook) {
  throttle_machine t({});
  record(t, 20, 79, start);
  EXPECT_EQ(t.rejection_probability(start), 0.59);  // (99 − 2 · 20) / (99 + 1)
  EXPECT_FALSE(t.admit(std::nextafter(0.59, 0), start));
  EXPECT_EQ(t.requests(start), 100) << "what is refused here is a request as well";
  EXPECT_EQ(t.rejection_probability(start), 60.0 / 101);
  EXPECT_TRUE(t.admit(60.0 / 101, start));
  EXPECT_EQ(t.requests(start), 100) << "admitted: counts when its outcome is known";
}

TEST(ThrottleMachine, LetsSomeThroughHoweverBadItIs) {
  throttle_machine t({});
  record(t, 0, 10'000, start);
  EXPECT_EQ(t.rejection_probability(start), 0.9);
  EXPECT_TRUE(t.admit(0.9, start));
  EXPECT_FALSE(t.admit(std::nextafter(0.9, 0), start));
}

TEST(ThrottleMachine, IsMoreAggressiveWithASmallerK) {
  throttle_machine t({.k = 1.1});
  record(t, 50, 49, start);
  EXPECT_DOUBLE_EQ(t.rejection_probability(start), 0.44);
}

TEST(ThrottleMachine, DoesNotTakeABurstUnderWayForARefusal) {
  throttle_machine t({.min_requests = 0});
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(t.admit(0, start));
  EXPECT_EQ(t.requests(start), 0);
}

TEST(ThrottleMachine, WaitsForEnoughRequests) {
  throttle_machine t({});
  record(t, 0, 9, start);
  EXPECT_EQ(t.rejection_probability(start), 0);
  record(t, 0, 1, start);
  EXPECT_EQ(t.rejection_probability(start), 0.9);
  throttle_machine as_in_the_book({.min_requests = 0});
  record(as_in_the_book, 0, 1, start);
  EXPECT_EQ(as_in_the_book.rejection_probability(start), 0.5);
}

TEST(ThrottleMachine, ForgetsWhatIsOlderThanItsWindow) {
  throttle_machine t({});
  record(t, 0, 100, start);
  record(t, 100, 0, start + 60s);
  EXPECT_EQ(t.rejection_probability(start + 60s), 0);
  EXPECT_EQ(t.requests(start + 120s - 1ns), 200);
  EXPECT_EQ(t.requests(start + 120s), 100);
  EXPECT_EQ(t.accepts(start + 120s), 100);
  EXPECT_EQ(t.requests(start + 180s), 0);
  record(t, 1, 0, start + 185s);
  EXPECT_EQ(t.requests(start + 305s - 1ns), 1) << "in steps of 5 s";
  EXPECT_EQ(t.requests(start + 305s), 0);
}

TEST(ThrottleMachine, IsNotConfusedByAClockThatStepsBack) {
  throttle_machine t({});
  record(t, 0, 100, start);
  EXPECT_EQ(t.rejection_probability(start - 1h), 0.9);
  record(t, 100, 0, start - 1h);
  EXPECT_EQ(t.rejection_probability(start - 1h), 0);
}

// The server takes 100 of 1000 calls a second. K = 2: about twice what it accepts gets through to it, and
// once it takes all, so do we.
TEST(ThrottleMachine, SettlesAtTwiceWhatTheServerAcceptsAndComesBack) {
  throttle_machine t({.window = 24s});
  random_source random{7};
  const auto second = [&](instant from, int accepted_most) {
    int sent = 0;
    for (int i = 0; i < 1000; ++i) {
      const instant now = from + i * 1ms;
      if (!t.admit(random.unit(), now)) continue;
      t.record(sent < accepted_most, now);
      ++sent;
    }
    return sent;
  };
  int sent = 0;
  for (int s = 0; s < 100; ++s) sent = second(start + s * 1s, 100);
  EXPECT_NEAR(sent, 200, 30);
  for (int s = 100; s < 130; ++s) sent = second(start + s * 1s, 1000);
  EXPECT_EQ(sent, 1000);
}

TEST(ThrottleMachineOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(throttle_machine({.k = 0.9}), std::invalid_argument);
  EXPECT_THROW(throttle_machine({.k = std::nan("")}), std::invalid_argument);
  EXPECT_THROW(throttle_machine({.max_rejection = 1.1}), std::invalid_argument);
  EXPECT_THROW(throttle_machine({.min_requests = -1}), std::invalid_argument);
  try {
    throttle_machine({.window = 0s});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "throttle.window is 0 s; must be 1 s to 24 h");
  }
}

}  // namespace
}  // namespace dspu::core
