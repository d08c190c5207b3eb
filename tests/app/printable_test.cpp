#include "dspu/printable.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using namespace dspu::app;

TEST(Printable, LeavesTextAsItIs) {
  EXPECT_EQ(printable("plain: \"quoted\" \\x1b gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n"),
            "plain: \"quoted\" \\x1b gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, EscapesWhatATerminalObeys) {
  EXPECT_EQ(printable("\x1b[31mred\a"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable("a\rb\tc\x7f"), "a\\x0db\\x09c\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");  // the control sequence introducer as UTF-8
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b31m");  // and as a byte
  EXPECT_EQ(printable("\xe2\x80\xaetxt.exe"), "\\u202etxt.exe");
  EXPECT_EQ(printable("a\xe2\x80\xa8"
                      "b"),
            "a\\u2028b");
}

TEST(Printable, EscapesBytesThatAreNoText) {
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc3\x28"), "\\xc3(");
}

TEST(Printable, KeepsALineOneLine) {
  EXPECT_EQ(printable_line("a\ndspu fetch: forged"), "a\\x0adspu fetch: forged");
  EXPECT_EQ(printable("a\nb\n"), "a\nb\n");
}

// No single byte and no character up to U+FFFF gets through that ECMA-48 calls a control.
TEST(Printable, LetsNoControlThrough) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string shown = printable(std::string(1, static_cast<char>(byte)));
    for (const char c : shown) EXPECT_TRUE((c >= 0x20 && c < 0x7f) || c == '\n') << byte;
  }
  for (unsigned code = 0x80; code < 0xa0; ++code) {
    const std::string character{static_cast<char>(0xc0 | code >> 6),
                                static_cast<char>(0x80 | (code & 0x3f))};
    EXPECT_EQ(printable(character).size(), 6u) << code;
  }
}

}  // namespace
