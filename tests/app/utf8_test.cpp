#include "dspu/utf8.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace {

using namespace dspu::app;

TEST(Utf8, AcceptsCharactersOfEveryLength) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"));
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, RefusesTornOverlongAndSurrogates) {
  for (const std::string_view bytes : {"\xc3", "\xe2\x82", "\xf0\x9f\x98", "\x80", "\xc0\xaf", "\xe0\x80\xaf",
                                       "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xc3z"}) {
    EXPECT_FALSE(is_utf8(bytes));
    EXPECT_TRUE(is_utf8(to_utf8(bytes)));
  }
}

TEST(Utf8, ReplacesOnlyTheBadBytes) { EXPECT_EQ(to_utf8("a\xff\xc3\xa4"), "a\xef\xbf\xbd\xc3\xa4"); }

}  // namespace
