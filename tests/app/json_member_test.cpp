#include "dspu/json_member.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <random>
#include <string>

namespace {

using namespace dspu::app;

TEST(MemberText, IsTheValueLetterByLetter) {
  const std::string line =
      R"( { "a" : 0.10 , "b":{"a":[1,"}\"]",{"c":2}] , "d":"\\"},"c":"x\"y", "d":true,"e":[],"f" : {} ,"a":12345678901234567890123 } )";
  EXPECT_EQ(member_text(line, "a"), "12345678901234567890123") << "the last one, as a parser has it";
  EXPECT_EQ(member_text(line, "b"), R"({"a":[1,"}\"]",{"c":2}] , "d":"\\"})");
  EXPECT_EQ(member_text(line, "c"), R"("x\"y")");
  EXPECT_EQ(member_text(line, "d"), "true");
  EXPECT_EQ(member_text(line, "e"), "[]");
  EXPECT_EQ(member_text(line, "f"), "{}");
  EXPECT_EQ(member_text(line, "g"), std::nullopt);
  EXPECT_EQ(member_text("{}", "a"), std::nullopt);
}

std::string any_value(std::mt19937& random, int depth) {
  switch (random() % (depth > 3 ? 4 : 6)) {
    case 0:
      return "-1.5e3";
    case 1:
      return "null";
    case 2:
      return R"("a\"\\}]{[,:")";
    case 3:
      return R"("")";
    case 4:
      return "[" + any_value(random, depth + 1) + " , " + any_value(random, depth + 1) + "]";
    default:
      return R"({"x" :)" + any_value(random, depth + 1) + R"(,"meta":)" + any_value(random, depth + 1) + "}";
  }
}

TEST(MemberText, IsWhatAParserFinds) {
  std::mt19937 random(16);
  for (int i = 0; i < 2'000; ++i) {
    const std::string meta = any_value(random, 0);
    const std::string line =
        R"({"x":)" + any_value(random, 0) + R"(, "meta": )" + meta + R"( ,"y":)" + any_value(random, 0) + "}";
    ASSERT_EQ(member_text(line, "meta"), meta) << line;
    const auto parsed = boost::json::parse(line).as_object();
    ASSERT_EQ(boost::json::parse(std::string(*member_text(line, "y"))), parsed.at("y")) << line;
  }
}

}  // namespace
