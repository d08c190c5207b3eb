#include "dspu/aio/clocks.hpp"

#include "dspu/aio/rate_limiter.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t ms = 1'000'000;

// A counter of 2 GHz, whose rate may change, and a reference, both moved by hand.
struct TscLine : ::testing::Test {
  detail::tsc_line line{true};
  std::int64_t reference = 5'000 * ms;
  double ticks = 1e12;
  double ticks_per_ns = 2;
  int readings = 0;
  std::int64_t interrupted_for = 0;  // the next reading of the reference takes so long
  std::int64_t overtaken_by = 0;     // the next pair of readings is used after somebody else's, who comes so much later

  void advance(std::int64_t ns) {
    reference += ns;
    ticks += ticks_per_ns * static_cast<double>(ns);
  }
  std::int64_t now() {
    const auto counter = [this, calls = 0]() mutable {
      const auto tick = static_cast<std::uint64_t>(ticks);
      if (++calls == 2 && overtaken_by > 0) {
        advance(std::exchange(overtaken_by, 0));
        now();
      }
      return tick;
    };
    return line.now(counter, [this] {
      ++readings;
      if (interrupted_for > 0) advance(std::exchange(interrupted_for, 0));
      return reference;
    });
  }
  void calibrate() {
    now();
    advance(10 * ms);
    now();
    readings = 0;
  }
};

TEST_F(TscLine, IsTheReferenceUntilItIsCalibrated) {
  EXPECT_EQ(now(), reference);
  advance(9 * ms);
  EXPECT_EQ(now(), reference);
  EXPECT_EQ(readings, 2);
}

TEST_F(TscLine, ThenReadsTheCounterForASecond) {
  calibrate();
  advance(999 * ms);
  EXPECT_EQ(now(), reference);
  EXPECT_EQ(readings, 0);
  advance(1 * ms);
  EXPECT_EQ(now(), reference);
  EXPECT_EQ(readings, 1);
}

TEST_F(TscLine, CatchesUpWithTheReferenceWhenTheCounterIsSlow) {
  calibrate();
  ticks_per_ns = 2 * (1 - 50e-6);
  advance(1'000 * ms);
  EXPECT_NEAR(static_cast<double>(now()), static_cast<double>(reference), 51e3);
  advance(1 * ms);
  now();
  EXPECT_GE(now(), reference - 1'000);
}

TEST_F(TscLine, NeverGoesBackWhenTheCounterIsFast) {
  calibrate();
  ticks_per_ns = 2 * (1 + 50e-6);
  auto last = now();
  for (int i = 0; i < 5'000; ++i) {
    advance(ms);
    const auto t = now();
    ASSERT_GE(t, last) << i;
    ASSERT_NEAR(static_cast<double>(t), static_cast<double>(reference), 100e3) << i;
    last = t;
  }
  EXPECT_TRUE(line.uses_counter());
}

TEST_F(TscLine, FallsBackWhenTheCounterChangesItsRate) {
  calibrate();
  ticks_per_ns = 3;
  advance(1'000 * ms);
  auto last = now();
  advance(1'000 * ms);
  EXPECT_GE(now(), last);
  EXPECT_FALSE(line.uses_counter());
  advance(1'000 * ms);
  EXPECT_EQ(now(), reference);
}

TEST_F(TscLine, FallsBackWhenTheCounterIsSetBack) {
  calibrate();
  const auto before = now();
  advance(100 * ms);
  ticks = 1e9;
  EXPECT_EQ(now(), before + 100 * ms);
  EXPECT_FALSE(line.uses_counter());
}

TEST_F(TscLine, DoesNotTakeALateReadingForACounterThatWasSetBack) {
  now();
  advance(8 * ms);
  overtaken_by = 5 * ms;
  EXPECT_EQ(now(), reference);
  EXPECT_TRUE(line.uses_counter());
}

TEST_F(TscLine, IsTheReferenceWhereTheCounterIsNotTrusted) {
  detail::tsc_line untrusted{false};
  EXPECT_EQ(untrusted.now([] { return std::uint64_t{1}; }, [] { return std::int64_t{7}; }), 7);
  EXPECT_FALSE(untrusted.uses_counter());
}

TEST_F(TscLine, DoesNotCalibrateByAPairOfReadingsThatWasInterrupted) {
  now();
  advance(10 * ms);
  interrupted_for = 5 * ms;
  EXPECT_EQ(now(), reference);
  EXPECT_EQ(readings, 3);
  advance(900 * ms);
  EXPECT_EQ(now(), reference);
}

TEST_F(TscLine, ServesAfterAPauseOfDays) {
  calibrate();
  advance(std::int64_t{3} * 86'400 * 1'000 * ms);
  EXPECT_EQ(now(), reference);
  EXPECT_TRUE(line.uses_counter());
}

template <class Clock>
void never_goes_back() {
  std::vector<std::thread> threads;
  for (int k = 0; k < 2; ++k) {
    threads.emplace_back([] {
      auto last = Clock::now();
      const auto end = std::chrono::steady_clock::now() + 30ms;
      while (std::chrono::steady_clock::now() < end) {
        const auto t = Clock::now();
        ASSERT_GE(t, last);
        last = t;
      }
    });
  }
  for (auto& t : threads) t.join();
}

template <class Clock>
duration behind_steady_clock() {
  const auto t = Clock::now().time_since_epoch();
  return std::chrono::steady_clock::now().time_since_epoch() - t;
}

TEST(ClocksWallClock, NeverGoBack) {
  never_goes_back<tsc_clock>();
  never_goes_back<coarse_clock>();
}

TEST(ClocksWallClock, KeepSteadyClocksTime) {
  tsc_clock::now();
  std::this_thread::sleep_for(20ms);
  tsc_clock::now();
  EXPECT_GT(behind_steady_clock<tsc_clock>(), -1ms);
  EXPECT_GT(behind_steady_clock<coarse_clock>(), -1ms);
  EXPECT_STREQ(tsc_clock::source(), detail::tsc_is_trusted() ? "tsc" : "steady_clock");
}

TEST(ClocksWallClock, DriveALimiter) {
  basic_rate_limiter<tsc_clock> a{{.rate = 1, .per = 1h}};
  EXPECT_TRUE(a.try_acquire());
  EXPECT_FALSE(a.try_acquire());
  basic_rate_limiter<coarse_clock> b{{.rate = 1, .per = 1h}};
  EXPECT_TRUE(b.try_acquire());
  EXPECT_FALSE(b.try_acquire());
}

}  // namespace
}  // namespace dspu::aio
