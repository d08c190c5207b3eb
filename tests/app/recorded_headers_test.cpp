#include "dspu/recorded_headers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace {

using namespace dspu::app;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const header_list headers{
    {"ETag", "\"a\""}, {"Set-Cookie", "x=1"}, {"set-cookie", "y=2"}, {"X-Latin", "m\xfcller"}};

std::string line_with(const std::string& filter) {
  result_record record;
  record.headers = recorded(headers, parse_header_filter(filter));
  return to_json_line(record);
}

TEST(RecordedHeaders, AreInSmallLettersAndListsWhereTheyAreRepeated) {
  EXPECT_THAT(line_with("all"),
              HasSubstr(R"("headers":{"etag":"\"a\"","set-cookie":["x=1","y=2"],"x-latin":"m)"));
  EXPECT_THAT(line_with("SET-COOKIE,absent"), HasSubstr(R"("headers":{"set-cookie":["x=1","y=2"]})"));
  EXPECT_THAT(line_with("absent"), ::testing::Not(HasSubstr("headers")));
  EXPECT_THAT(recorded(headers, {}), IsEmpty());
}

TEST(RecordedHeaders, AreAskedForByNames) {
  EXPECT_TRUE(parse_header_filter("all").all);
  EXPECT_THAT(parse_header_filter("ETag,Link").names, ::testing::ElementsAre("etag", "link"));
  for (const char* wrong : {"", "a,", "a b", "a:"})
    EXPECT_THROW(parse_header_filter(wrong), std::invalid_argument);
}

}  // namespace
