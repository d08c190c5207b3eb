#include "dspu/nearest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("rate", "rate"), 0u);
  EXPECT_EQ(edit_distance("rate", "rat"), 1u);
  EXPECT_EQ(edit_distance("rate", "raze"), 1u);
  EXPECT_EQ(edit_distance("fecth", "fetch"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

const std::vector<std::string> names{"--retry-on", "--rate", "--host-rate", "--retry-unsafe",
                                     "--max-attempts"};

TEST(Nearest, PrefersWhatBeginsSo) {
  EXPECT_THAT(nearest("--retry", names), ElementsAre("--retry-on", "--retry-unsafe"));
  EXPECT_THAT(nearest("--host", names), ElementsAre("--host-rate"));
}

TEST(Nearest, FindsTypingErrors) {
  EXPECT_THAT(nearest("--rte", names), ElementsAre("--rate"));
  EXPECT_THAT(nearest("-hsot-rate", names), ElementsAre("--host-rate"));
}

TEST(Nearest, FindsParts) {
  EXPECT_THAT(nearest("--attempts", names), ElementsAre("--max-attempts"));
}

TEST(Nearest, SaysNothingRatherThanAnything) {
  EXPECT_THAT(nearest("--xyzzy", names), IsEmpty());
  EXPECT_THAT(nearest("-r", names), IsEmpty());
  EXPECT_THAT(nearest("--", names), IsEmpty());
  EXPECT_THAT(nearest("--retry", {}), IsEmpty());
}

}  // namespace
