#include "dspu/core/probe_places.hpp"

#include <gtest/gtest.h>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant at(duration d) { return instant{d}; }

TEST(ProbePlaces, AreLentUntilGivenBack) {
  probe_places p;
  p.take(at(0s));
  p.take(at(0s));
  EXPECT_EQ(p.give_up(instant::max()), 0);
  EXPECT_EQ(p.taken(), 2);
  EXPECT_FALSE(p.next_lost());
  EXPECT_TRUE(p.give_back(at(5s))) << "nobody asks when it began";
  EXPECT_EQ(p.taken(), 1);
}

TEST(ProbePlaces, AreTakenBackWhenTheirTimeIsOver) {
  probe_places p(10s, 3);
  p.take(at(1s));
  p.take(at(2s));
  p.take(at(2s));
  EXPECT_EQ(p.next_lost(), at(11s));
  EXPECT_EQ(p.give_up(at(11s - 1ns)), 0);
  EXPECT_EQ(p.give_up(at(11s)), 1);
  EXPECT_FALSE(p.give_back(at(1s))) << "lost";
  EXPECT_EQ(p.taken(), 2);
  EXPECT_TRUE(p.give_back(at(2s)));
  EXPECT_EQ(p.give_up(at(12s)), 1);
  EXPECT_FALSE(p.give_back(at(2s)));
  EXPECT_EQ(p.taken(), 0);
  EXPECT_FALSE(p.next_lost());
}

TEST(ProbePlaces, LoseTheRightOneThoughTheClockSteppedBack) {
  probe_places p(10s, 2);
  p.take(at(100s));
  p.take(at(50s));
  EXPECT_EQ(p.next_lost(), at(60s));
  EXPECT_EQ(p.give_up(at(60s)), 1);
  EXPECT_FALSE(p.give_back(at(50s)));
  EXPECT_TRUE(p.give_back(at(100s)));
}

TEST(ProbePlaces, LentForLongerThanThereIsTimeAreNeverLost) {
  probe_places p(duration::max(), 1);
  p.take(at(100s));
  EXPECT_EQ(p.give_up(at(duration::max() - 1ns)), 0);
}

TEST(ProbePlaces, AreAdoptedWhereTheirInstantsAreKnown) {
  probe_places p(10s, 2);
  p.take(at(1s));
  p.take(at(2s));
  probe_places shorter(1s, 1);
  EXPECT_TRUE(shorter.adopt(p));
  EXPECT_EQ(shorter.taken(), 2);
  EXPECT_EQ(shorter.give_up(at(2s)), 1);

  probe_places for_ever;
  EXPECT_FALSE(for_ever.adopt(p));
  EXPECT_EQ(for_ever.taken(), 0);
  p.clear();
  EXPECT_TRUE(for_ever.adopt(p)) << "nothing is out, so nothing is unknown";
}

}  // namespace
}  // namespace dspu::core
