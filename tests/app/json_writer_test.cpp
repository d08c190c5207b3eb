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
  for (int c = 0; c < 0x80; ++c) {
    const std::string one(1, static_cast<char>(c));
    EXPECT_EQ(written(one), boost::json::serialize(boost::json::string(one))) << c;
    all += one + "\xc3\xa4";
  }
  EXPECT_EQ(written(all), boost::json::serialize(boost::json::string(all)));
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
