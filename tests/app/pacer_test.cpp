#include "dspu/pacer.hpp"

#include <gtest/gtest.h>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using dspu::core::instant;

constexpr instant start{1h};

int takes_at(pacer& limit, instant now) {
  int count = 0;
  while (limit.ready(now)) {
    limit.take(now);
    ++count;
  }
  return count;
}

TEST(Pacer, LetsEverythingGoWithoutARate) {
  pacer limit(std::nullopt, start);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(limit.ready(start));
    limit.take(start);
  }
}

TEST(Pacer, StartsWithTheBurstAndNamesTheNextInstant) {
  pacer limit(rate_spec{10, 1s, 3.0}, start);
  EXPECT_EQ(takes_at(limit, start), 3);
  EXPECT_EQ(limit.due(), start + 100ms);
  EXPECT_FALSE(limit.ready(start + 100ms - 1ns));
  EXPECT_TRUE(limit.ready(start + 100ms));
}

TEST(Pacer, SpacesRequestsEvenlyUnlessABurstIsStated) {
  pacer limit(rate_spec{10, 1s, {}}, start);
  EXPECT_EQ(takes_at(limit, start), 1);
  EXPECT_EQ(limit.due(), start + 100ms);
}

TEST(Pacer, LetsTheRequestsOf50MillisecondsGoAtOnce) {
  pacer limit(rate_spec{60'000, 1min, {}}, start);
  EXPECT_EQ(takes_at(limit, start), 50);
}

TEST(Pacer, AllowsOneAtATimeBelowOneASecond) {
  pacer limit(rate_spec{0.5, 1s, {}}, start);
  EXPECT_EQ(takes_at(limit, start), 1);
  EXPECT_EQ(limit.due(), start + 2s);
}

TEST(Pacer, LosesNoRateWhenWokenLate) {
  pacer limit(rate_spec{1000, 1s, 1.0}, start);
  EXPECT_EQ(takes_at(limit, start), 1);
  EXPECT_EQ(takes_at(limit, start + 50ms), 50);
}

TEST(Pacer, DoesNotCatchUpAfterALongStop) {
  pacer limit(rate_spec{1000, 1s, 1.0}, start);
  EXPECT_EQ(takes_at(limit, start), 1);
  EXPECT_LE(takes_at(limit, start + 1h), 102);
}

TEST(Pacer, SavesNothingWhileNobodyWaits) {
  pacer limit(rate_spec{1000, 1s, 5.0}, start);
  EXPECT_EQ(takes_at(limit, start), 5);
  limit.rest();
  EXPECT_EQ(takes_at(limit, start + 50ms), 5);
}

}  // namespace
