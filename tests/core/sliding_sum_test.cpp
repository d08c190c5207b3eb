#include "dspu/core/sliding_sum.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant at(duration d) { return instant{d}; }

static_assert(std::is_trivially_copyable_v<sliding_sum<10>>, "no memory of its own");

TEST(SlidingSum, ExpiresWhatWasAddedWithItsSlotToTheNanosecond) {
  sliding_sum<10> s(10s);
  s.add(5, at(1s));
  s.add(7, at(2s - 1ns));
  s.add(1, at(2s));
  EXPECT_EQ(s.sum(at(11s - 1ns)), 13);
  EXPECT_EQ(s.sum(at(11s)), 1) << "the slot [1 s, 2 s) ends with the span that began with it";
  EXPECT_EQ(s.sum(at(12s - 1ns)), 1);
  EXPECT_EQ(s.sum(at(12s)), 0);
}

TEST(SlidingSum, KeepsItsSlotsApartAcrossTheEpoch) {
  sliding_sum<3> s(3s);
  s.add(1, at(-1s));
  s.add(10, at(-1ns));
  s.add(100, at(0s));
  s.add(1000, at(1s));
  EXPECT_EQ(s.sum(at(1s)), 1111);
  EXPECT_EQ(s.sum(at(2s)), 1100);
  EXPECT_EQ(s.sum(at(3s)), 1000);
}

TEST(SlidingSum, ForgetsAllAfterALongPause) {
  sliding_sum<4> s(1s);
  s.add(3, instant::min());
  s.add(4, at(0s));
  EXPECT_EQ(s.sum(at(0s)), 4);
  EXPECT_EQ(s.sum(instant::max()), 0);
}

TEST(SlidingSum, CountsInItsNewestSlotWhatAClockThatStepsBackAdds) {
  sliding_sum<10> s(10s);
  s.add(1, at(100s));
  s.add(2, at(5s));
  EXPECT_EQ(s.sum(at(5s)), 3);
  EXPECT_EQ(s.sum(at(110s - 1ns)), 3);
  EXPECT_EQ(s.sum(at(110s)), 0);
}

TEST(SlidingSum, AmendsOnlyWhatHasNotExpired) {
  sliding_sum<10> s(10s);
  s.add(1, at(0s));
  s.add(1, at(5s));
  s.amend(-1, at(5s));
  EXPECT_EQ(s.sum(at(9s)), 1);
  EXPECT_EQ(s.sum(at(10s)), 0);
  s.amend(-1, at(0s));
  EXPECT_EQ(s.sum(at(10s)), 0) << "gone with its slot already";
  EXPECT_EQ(s.sum(at(15s)), 0) << "amended where it was added, so nothing expires twice";
}

TEST(SlidingSum, RoundsItsStepsUpSoThatNothingExpiresTooSoon) {
  sliding_sum<10> s(25ns);  // steps of 3 ns
  s.add(1, at(0ns));
  EXPECT_EQ(s.sum(at(29ns)), 1);
  EXPECT_EQ(s.sum(at(30ns)), 0);
}

}  // namespace
}  // namespace dspu::core
