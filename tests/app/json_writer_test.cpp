#include "dspu/json_writer.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace {

using dspu::app::json_writer;
using namespace std::chrono_literals;

std::string written(const auto& value) {
  std::string out;
  json_writer(out).value(value);
  return out;
}

TEST(JsonWriter, WritesTextAsBoostJsonDoes) {
  std::string all;
  for (int c = 0; c < 0x7f; ++c) {
    const std::string one(1, static_cast<char>(c));
    EXPECT_EQ(written(one), boost::json::serialize(boost::json::string(one))) << c;
    all += one + "\xc3\xa4";
  }
  EXPECT_EQ(written(all), boost::json::serialize(boost::json::string(all)));
}

// Result lines on a terminal carried control sequences to it.
TEST(JsonWriter, EscapesTheControlsThatJsonLetsThrough) {
  EXPECT_EQ(written(std::string("a\x7f")), R"("a\u007f")");
  EXPECT_EQ(written(std::string("\xc2\x9b" "31m\xc2\x80\xc2\x9f\xc2\xa0\xc2\xa9\xc3\x9b")),
            "\"\\u009b31m\\u0080\\u009f\xc2\xa0\xc2\xa9\xc3\x9b\"");
  for (unsigned code = 0x7f; code < 0x100; ++code) {
    const std::string text = code < 0x80 ? std::string(1, static_cast<char>(code))
                                         : std::string{static_cast<char>(0xc0 | code >> 6),
                                                       static_cast<char>(0x80 | (code & 0x3f))};
    EXPECT_EQ(boost::json::parse(written(text)).as_string(), text) << code;
  }
}

TEST(JsonWriter, WritesMillisecondsToTheMicrosecond) {
  const std::vector<std::pair<std::chrono::nanoseconds, std::string>> table{
      {0ns, "0"},        {499ns, "0"},          {500ns, "0.001"},   {5us, "0.005"},
      {120us, "0.12"},   {999999ns, "1"},       {12345us, "12.345"}, {2500ms, "2500"},
      {1h + 1us, "3600000.001"}, {-3ms, "0"}};
  for (const auto& [duration, expected] : table) {
    std::string out;
    json_writer(out).milliseconds(duration);
    EXPECT_EQ(out, expected);
  }
}

}  // namespace
