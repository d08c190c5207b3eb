#include "dspu/core/token_buckets.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000'000s};

token_buckets make(const std::vector<token_bucket_options>& options) { return {options, start, 10ms}; }

instant ready(const token_buckets& b, double n) { return b.ready_at(b.amount_of(n)); }

TEST(TokenBuckets, TakesFromAllOrFromNone) {
  auto b = make({{.rate = 10}, {.rate = 6, .per = 1h}});
  EXPECT_EQ(b.capacity(), 6);
  EXPECT_TRUE(b.take(5, start));
  EXPECT_FALSE(b.take(2, start)) << "the second has one left";
  EXPECT_EQ(b.level(0), b.bucket(0).units_of(5)) << "so the first keeps its own";
  EXPECT_TRUE(b.take(1, start));
  EXPECT_EQ(ready(b, 1), start + 10min) << "the slower bucket";
  EXPECT_FALSE(b.take(1, start + 10min - 1ns));
  EXPECT_TRUE(b.take(1, start + 10min));
}

TEST(TokenBuckets, KeepsTheTokensWhenTheRateChanges) {
  auto b = make({{.rate = 10, .capacity = 20.0}});
  b.take(15, start);
  b.replace(0, {.rate = 1000, .per = 10s, .capacity = 20.0}, start + 100ms);
  EXPECT_DOUBLE_EQ(b.available(start + 100ms), 6);
  EXPECT_DOUBLE_EQ(b.available(start + 150ms), 11);
  EXPECT_EQ(ready(b, 20), start + 240ms);
}

TEST(TokenBuckets, CutsTheTokensAtASmallerCapacityAndAddsNoneForALargerOne) {
  auto b = make({{.rate = 1, .capacity = 20.0}});
  b.replace(0, {.rate = 1, .capacity = 4.0}, start);
  EXPECT_EQ(b.available(start), 4);
  b.replace(0, {.rate = 1, .capacity = 50.0}, start);
  EXPECT_EQ(b.available(start), 4);
  EXPECT_EQ(b.available(start + 10s), 14);
}

TEST(TokenBuckets, KeepsTokensAcrossUnitsOfAnotherSize) {
  auto b = make({{.rate = 1, .capacity = 8.0}});
  b.take(5.5, start);
  b.replace(0, {.rate = 1e9, .capacity = 8.0}, start);
  EXPECT_EQ(b.available(start), 2.5);
  b.replace(0, {.rate = 1, .capacity = 8.0}, start);
  EXPECT_EQ(b.available(start), 2.5);
}

TEST(TokenBuckets, MakesNothingBeforeTheInstantItIsDrainedUntil) {
  auto b = make({{.rate = 2, .capacity = 10.0}});
  b.drain(start + 1s, start + 5s);
  EXPECT_EQ(b.available(start + 1s), 0);
  EXPECT_EQ(b.available(start + 5s), 0);
  EXPECT_EQ(ready(b, 1), start + 5500ms);
  b.drain(start + 2s, start + 3s);
  EXPECT_EQ(ready(b, 1), start + 5500ms) << "an earlier instant changes nothing";
  b.replace(0, {.rate = 1, .capacity = 10.0}, start + 2s);
  EXPECT_EQ(ready(b, 1), start + 6s) << "nor does another rate";
  b.drain(start + 8s, instant::min());
  EXPECT_EQ(ready(b, 1), start + 9s) << "emptied at once";
}

TEST(TokenBuckets, RefillsNothingThatWasDrained) {
  auto b = make({{.rate = 1, .capacity = 10.0}});
  b.take(4, start);
  b.drain(start, start + 2s);
  b.give_back(4);
  EXPECT_EQ(b.available(start + 2s), 0);
  EXPECT_TRUE(b.take(1, start + 3s));
  b.give_back(1);
  EXPECT_EQ(b.available(start + 3s), 1) << "what was taken since comes back";
}

TEST(TokenBuckets, TakesForAHeldPlaceAsOfWhenItWasDue) {
  auto b = make({{.rate = 1, .capacity = 3.0}});
  b.take(3, start);
  EXPECT_FALSE(b.take_since(2, start, start + 2s - 1ns));
  EXPECT_TRUE(b.take_since(2, start, start + 1h));
  EXPECT_EQ(b.available(start + 3s), 1) << "as if taken after 2 s";
  EXPECT_EQ(b.available(start + 1h), 3);
}

TEST(TokenBuckets, GoesIntoDebtForWhatIsTakenAhead) {
  auto b = make({{.rate = 1, .capacity = 1.0}});
  for (int i = 0; i < 5; ++i) b.take_ahead(1, start);
  EXPECT_EQ(ready(b, 1), start + 5s);
  EXPECT_EQ(b.available(start), 0);
}

TEST(TokenBuckets, ChangesNothingWhenTheNewOptionsAreBad) {
  auto b = make({{.rate = 1, .capacity = 5.0}});
  b.take(2, start);
  EXPECT_THROW(b.replace(0, {.rate = 0}, start), std::invalid_argument);
  EXPECT_EQ(b.available(start), 3);
  EXPECT_EQ(b.capacity(), 5);
}

}  // namespace
}  // namespace dspu::core
