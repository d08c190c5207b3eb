#include "dspu/core/refusal_share.hpp"

#include <gtest/gtest.h>

namespace dspu::core {
namespace {

// Every tenth call is refused, as the pace falls from 80 calls a second.
bool falls_in_vain(refusal_share& share, int refusals) {
  double pace = 80;
  bool found = false;
  for (int i = 0; i < refusals; ++i) {
    for (int n = 0; n < 9; ++n) share.admitted(pace);
    found = share.refused(pace);
    pace *= 0.8;
  }
  return found;
}

TEST(RefusalShare, KnowsRefusalsThatDoNotDependOnThePace) {
  refusal_share share;
  EXPECT_FALSE(falls_in_vain(share, 4)) << "too few";
  EXPECT_TRUE(falls_in_vain(share, 8));
  EXPECT_NEAR(share.value(), 0.1, 0.03);
}

TEST(RefusalShare, DoesNotTakeALimitForChance) {
  refusal_share share;
  for (int i = 0; i < 100; ++i) {  // in rows, while nothing is left
    for (int n = 0; n < 9; ++n) share.admitted(80);
    for (int n = 0; n < 3; ++n) EXPECT_FALSE(share.refused(20));
  }
}

TEST(RefusalShare, DoesNotTakeProbesForChance) {
  refusal_share share;
  for (int i = 0; i < 100; ++i) {  // at the same pace
    for (int n = 0; n < 9; ++n) share.admitted(80);
    EXPECT_FALSE(share.refused(80));
  }
}

TEST(RefusalShare, WantsMoreOnceItWasWrong) {
  refusal_share share;
  share.restart(true);
  EXPECT_FALSE(falls_in_vain(share, 19));
  EXPECT_TRUE(falls_in_vain(share, 8));
}

}  // namespace
}  // namespace dspu::core
