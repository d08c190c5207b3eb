#include "dspu/core/token_bucket.hpp"

#include "dspu/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000'000s};

TEST(TokenBucket, StartsFullAndRefusesOneMore) {
  const token_bucket bucket({.rate = 10, .capacity = 20}, start);
  auto level = token_bucket::level{0};
  level = bucket.take(level, bucket.units_of(20), start).value();
  EXPECT_FALSE(bucket.take(level, bucket.units_of(1), start));
  EXPECT_DOUBLE_EQ(bucket.available(level, start), 0);
}

// Who was told another capacity may still ask; a bucket that has been idle for long must not give more than it holds.
TEST(TokenBucket, NeverGivesMoreThanItsCapacity) {
  const token_bucket bucket({.rate = 10, .capacity = 20}, start);
  EXPECT_FALSE(bucket.take(0, bucket.units_of(20) + 1, start + 1h));
  EXPECT_TRUE(bucket.take(0, bucket.units_of(20), start + 1h));
}

TEST(TokenBucket, TakesItsCapacityFromTheRate) {
  EXPECT_DOUBLE_EQ(token_bucket({.rate = 7.5}, start).capacity(), 7.5);
}

TEST(TokenBucket, RefusesOneExtraTakeAfterLongIdle) {
  const token_bucket bucket({.rate = 100}, start);
  auto level = token_bucket::level{0};
  const instant later = start + 1h;
  for (int i = 0; i < 100; ++i) level = bucket.take(level, bucket.units_of(1), later).value();
  EXPECT_FALSE(bucket.take(level, bucket.units_of(1), later));
}

// Found by fuzzing: with half the room used up by the capacity, the horizon came out negative, and time made nothing.
TEST(TokenBucket, MakesTokensHoweverLargeItsCapacity) {
  for (const double capacity : {1e9, 0x1p31, 0x1.8p40, 1e15, 0x1p60}) {
    const token_bucket bucket({.rate = 1, .per = 24h, .capacity = capacity}, start);
    const auto all = bucket.units_of(capacity);
    const auto empty = bucket.take(0, all, start).value();
    EXPECT_EQ(bucket.ready_at(empty, bucket.units_of(1)), start + 24h) << capacity;
    EXPECT_TRUE(bucket.take(empty, bucket.units_of(1), start + 24h)) << capacity;
  }
}

TEST(TokenBucket, ReportsTheExactInstant) {
  random_source random(42);
  for (const double rate : {1e-3, 0.1, 1.0 / 3, 1.0, 7.0, 12345.0, 1e6, 1e9}) {
    const token_bucket bucket({.rate = rate, .capacity = 10.0}, start);
    instant now = start;
    auto level = token_bucket::level{0};
    for (int i = 0; i < 2000; ++i) {
      const auto n = bucket.units_of(random.unit() * 9.99 + 0.001);
      if (const auto taken = bucket.take(level, n, now)) {
        level = *taken;
        continue;
      }
      const instant ready = bucket.ready_at(level, n);
      ASSERT_GT(ready, now);
      ASSERT_FALSE(bucket.take(level, n, ready - 1ns)) << rate;
      ASSERT_TRUE(bucket.take(level, n, ready)) << rate;
      now = ready;
    }
  }
}

TEST(TokenBucket, MakesExactlyAMillionTokensInAMillionSecondsHoweverOftenAsked) {
  const token_bucket bucket({.rate = 1, .capacity = 2.0}, start);  // room for the token made between two looks
  auto level = bucket.take(0, bucket.units_of(2), start).value();
  const instant end = start + 1'000'000s;
  int taken = 0;
  const auto look = [&](instant now) {
    if (const auto next = bucket.take(level, bucket.units_of(1), now)) {
      level = *next;
      ++taken;
    }
  };
  for (instant now = start; now < end; now += 333ms + 1ns) look(now);
  look(end);
  EXPECT_EQ(taken, 1'000'000);
  look(end);
  EXPECT_EQ(taken, 1'000'000);
}

TEST(TokenBucket, DoesNotDriftInFiftyYears) {
  for (const double rate : {1e-3, 0.1, 1.0 / 3, 1.0, 1000.0 / 7, 1e6, 1e9}) {
    const token_bucket bucket({.rate = rate, .capacity = 1.0 + rate}, start);
    const auto years = std::chrono::seconds{50LL * 31'557'600};
    const long double exact = static_cast<long double>(rate) * 50 * 31'557'600;
    const long double made = static_cast<long double>(bucket.made(start + years)) * bucket.granularity();
    EXPECT_NEAR(static_cast<double>(made / exact), 1.0, 1e-11) << rate;
    if (rate == std::floor(rate)) { EXPECT_EQ(made, exact) << rate; }
  }
}

TEST(TokenBucket, GivesNothingAwayWhenTheClockStepsBack) {
  const token_bucket bucket({.rate = 10, .capacity = 10.0}, start);
  const instant now = start + 100s;
  auto level = bucket.take(0, bucket.units_of(10), now).value();
  EXPECT_FALSE(bucket.take(level, bucket.units_of(1), now - 10s));
  EXPECT_DOUBLE_EQ(bucket.available(level, now - 10s), 0);
  EXPECT_DOUBLE_EQ(bucket.available(level, now), 0);
  EXPECT_DOUBLE_EQ(bucket.available(level, now + 31'557'600s), 10);
  EXPECT_TRUE(bucket.take(level, bucket.units_of(1), now + 100ms));
  EXPECT_FALSE(bucket.take(level, bucket.units_of(1), now + 100ms - 1ns));
}

TEST(TokenBucket, AdmitsNoMoreThanCapacityPlusRateInAnyWindow) {
  random_source random(7);
  const token_bucket bucket({.rate = 50, .capacity = 8.0}, start);
  instant now = start;
  auto level = token_bucket::level{0};
  std::deque<instant> admitted;
  for (int i = 0; i < 200'000; ++i) {
    now += std::chrono::nanoseconds{random() % 40'000'000};
    if (const auto next = bucket.take(level, bucket.units_of(1), now)) {
      level = *next;
      admitted.push_back(now);
      for (std::size_t back = 1; back <= std::min<std::size_t>(admitted.size(), 40); ++back) {
        const double window =
            std::chrono::duration<double>(now - admitted[admitted.size() - back]).count();
        ASSERT_LE(static_cast<double>(back), 8 + 50 * window + 1e-9);
      }
    }
  }
  EXPECT_GT(admitted.size(), 10'000U);
}

TEST(TokenBucket, LosesNoRateToLateWakes) {
  const token_bucket bucket({.rate = 1000, .capacity = 1.0}, start);
  auto level = bucket.take(0, bucket.units_of(1), start).value();
  int released = 0;  // looked at once in 10 ms: ten waiters are due each time, with room for one token
  const auto slack = bucket.units_of(1) * 20;
  while (const auto next = bucket.take_queued(level, bucket.units_of(1), start + 10ms, slack)) {
    level = *next;
    ++released;
  }
  EXPECT_EQ(released, 10);
  while (const auto next = bucket.take_queued(level, bucket.units_of(1), start + 1h, slack)) {
    level = *next;
    ++released;
  }
  EXPECT_EQ(released, 10 + 21) << "what a stalled loop may catch up on is bounded";
}

TEST(TokenBucket, SurvivesExtremeRates) {
  const token_bucket slow({.rate = 1e-10, .capacity = 1.0}, start);
  auto level = slow.take(0, slow.units_of(1), start).value();
  EXPECT_FALSE(slow.take(level, slow.units_of(1), start + 31'557'600s));
  EXPECT_EQ(slow.ready_at(level, slow.units_of(1)), instant::max());

  const token_bucket fast({.rate = 3e9, .capacity = 0x1p60}, start);
  level = fast.take(0, fast.units_of(0x1p60), start).value();
  EXPECT_FALSE(fast.take(level, fast.units_of(1), start));
  EXPECT_EQ(fast.ready_at(level, fast.units_of(3)), start + 1ns);
  EXPECT_EQ(fast.ready_at(level, fast.units_of(4)), start + 2ns);
}

TEST(TokenBucket, NamesTheOptionItsValueAndItsRange) {
  const auto text = [](token_bucket_options o) -> std::string {
    try {
      token_bucket{o, start};
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(text({.rate = 0}), "token_bucket.rate is 0; must be above 0 and at most 1e10 tokens per second (and 2^60 a period)");
  EXPECT_EQ(text({.rate = -1}), "token_bucket.rate is -1; must be above 0 and at most 1e10 tokens per second (and 2^60 a period)");
  EXPECT_THAT(text({.rate = std::nan("")}), testing::HasSubstr("token_bucket.rate is nan"));
  EXPECT_THAT(text({.rate = 1e11}), testing::HasSubstr("token_bucket.rate is 100000000000;"));
  EXPECT_EQ(text({.rate = 1, .per = 0s}), "token_bucket.per is 0 s; must be above 0 s and at most 36 years");
  EXPECT_EQ(text({.rate = 1, .capacity = 0.0}),
            "token_bucket.capacity is 0; must be above 0 and at most 2^60 tokens");
}

}  // namespace
}  // namespace dspu::core
