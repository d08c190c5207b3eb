#include "dspu/digest.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace dspu::app;

TEST(Digest, TellsWherePiecesAreSplit) {
  EXPECT_EQ(digest_of({"ab", "c"}), digest_of({"ab", "c"}));
  EXPECT_NE(digest_of({"ab", "c"}), digest_of({"a", "bc"}));
  EXPECT_NE(digest_of({"ab"}), digest_of({"ab", ""}));
  std::string text = "of ";
  append_short_hex(text, {0x0123456789abcdef, 7});
  EXPECT_EQ(text, "of 0123456789abcdef");
}

TEST(DigestSet, FindsWhatWasInsertedWithItsFlag) {
  digest_set set;
  EXPECT_EQ(set.find(digest_of({"absent"})), std::nullopt);
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(set.insert(digest_of({std::to_string(i)}), i % 3 == 0));
  EXPECT_EQ(set.size(), 10000u);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(set.find(digest_of({std::to_string(i)})), i % 3 == 0) << i;
  EXPECT_EQ(set.find(digest_of({"10000"})), std::nullopt);
}

TEST(DigestSet, RefusesASecondInsertion) {
  digest_set set;
  EXPECT_TRUE(set.insert({5, 8}, true));
  EXPECT_FALSE(set.insert({5, 8}, false));
  EXPECT_EQ(set.find({5, 8}), true);
  EXPECT_EQ(set.size(), 1u);
}

TEST(DigestSet, KeepsKeysThatShareASlotApart) {
  digest_set set;
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_TRUE(set.insert({0, i << 2}));
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_EQ(set.find({0, i << 2}), false);
  EXPECT_EQ(set.find({0, 50 << 2}), std::nullopt);
}

}  // namespace
