#include "dspu/core/weighted_turns.hpp"

#include "dspu/core/random.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dspu::core {
namespace {

constexpr unsigned all = 0b111;

// Who is served in `count` turns while all of `waiting` always wait, for one token each.
std::string served(weighted_turns& turns, unsigned waiting, int count) {
  std::string who;
  for (int i = 0; i < count; ++i) {
    const int c = turns.next(waiting);
    turns.serve(c, 1);
    who += static_cast<char>('0' + c);
  }
  return who;
}

TEST(WeightedTurns, GivesTheHigherClassTheFirstTurn) {
  weighted_turns turns;
  EXPECT_EQ(turns.next(all), 2);
  EXPECT_EQ(turns.next(0b011), 1);
  EXPECT_EQ(turns.next(0b001), 0);
}

TEST(WeightedTurns, SharesByWeight) {
  weighted_turns turns;
  const auto who = served(turns, all, 21 * 100);
  for (int c = 0; c < weighted_turns::classes; ++c) {
    EXPECT_EQ(std::count(who.begin(), who.end(), '0' + c),
              100 * weighted_turns::weights[static_cast<std::size_t>(c)]);
  }
}

TEST(WeightedTurns, CountsTokensNotTurns) {
  weighted_turns turns;
  turns.serve(turns.next(all), 16);  // high has had its share in one go
  turns.serve(turns.next(all), 4);
  turns.serve(turns.next(all), 1);
  EXPECT_EQ(served(turns, all, 3), "210") << "all are even again";
}

TEST(WeightedTurns, GivesNobodyTheTurnsOfTheTimeItWasAway) {
  weighted_turns turns;
  served(turns, 0b010, 1000);
  turns.join(0);
  turns.join(2);
  EXPECT_EQ(served(turns, all, 7), "2022221") << "low has not saved up a thousand turns";
}

TEST(WeightedTurns, ForgetsNoTurnOfAClassThatComesAndGoes) {
  weighted_turns turns;
  std::string who;
  for (int i = 0; i < 50; ++i) {  // one of high at a time, again and again, while normal waits
    turns.join(2);
    who += served(turns, 0b110, 1);
  }
  EXPECT_EQ(std::count(who.begin(), who.end(), '1'), 10) << "four to one";
}

// The bound of the header, against others that ask for whatever they like, whenever they like.
TEST(WeightedTurns, ServesEachClassWithinItsBound) {
  constexpr double most = 10;
  for (int mine = 0; mine < weighted_turns::classes; ++mine) {
    random_source random(static_cast<std::uint64_t>(mine) + 1);
    weighted_turns turns;
    double weight_of_others = 0;
    for (int c = 0; c < weighted_turns::classes; ++c) {
      if (c != mine) weight_of_others += weighted_turns::weights[static_cast<std::size_t>(c)];
    }
    const double weight = weighted_turns::weights[static_cast<std::size_t>(mine)];
    for (int round = 0; round < 300; ++round) {
      turns.join(mine);
      const int in_front = static_cast<int>(random() % 20);
      double own = 0;
      double others = 0;
      unsigned waiting = 1U << mine;
      for (int served_of_mine = 0; served_of_mine <= in_front;) {
        for (int c = 0; c < weighted_turns::classes; ++c) {
          if (c == mine || random() % 3 == 0) continue;
          if ((waiting >> c & 1U) == 0) turns.join(c);
          waiting |= 1U << c;
        }
        const int c = turns.next(waiting);
        const double n = c == mine ? 0.25 + random.unit() : most * random.unit() + 0.001;
        turns.serve(c, n);
        (c == mine ? own : others) += n;
        served_of_mine += c == mine ? 1 : 0;
        if (c != mine && random() % 4 == 0) waiting &= ~(1U << c);
      }
      ASSERT_LE(others, (own + most) * weight_of_others / weight + 2 * most) << "class " << mine;
    }
  }
}

}  // namespace
}  // namespace dspu::core
