#include "dspu/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <string>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using namespace std::string_literals;
using ::testing::HasSubstr;

result_record example() {
  result_record record;
  record.n = 17;
  record.id = "17-0123456789abcdef";
  record.url = "http://h:8080/a";
  record.method = "GET";
  record.status = 200;
  record.final_url = "http://h:8080/b";
  record.attempts.push_back(
      {.start = 1ms, .status = 503, .duration = 12345us, .wait = 1ms, .why = wait_reason::rate_limit});
  record.attempts.push_back(
      {.start = 2s, .error = "reset", .duration = 1ns, .wait = 1987655us, .why = wait_reason::backoff});
  record.bytes = 5;
  record.total = 2500ms;
  record.queued = 1ms;
  record.limiter_wait = 500us;
  record.host = "h:8080";
  record.finished_at = std::chrono::sys_seconds(1769860800s) + 250ms;
  return record;
}

TEST(Record, IsOneLineOfTheSchema) {
  EXPECT_EQ(
      to_json_line(example()),
      R"({"v":1,"id":"17-0123456789abcdef","n":17,"url":"http://h:8080/a","method":"GET","ok":true,"outcome":"ok",)"
      R"("status":200,"final_url":"http://h:8080/b","attempts":[)"
      R"({"start_ms":1,"status":503,"duration_ms":12.345,"wait_ms":1,"why":"rate_limit"},)"
      R"({"start_ms":2000,"error":"reset","duration_ms":0,"wait_ms":1987.655,"why":"backoff"}],)"
      R"("bytes":5,"total_ms":2500,"queued_ms":1,"limiter_wait_ms":0.5,"host":"h:8080",)"
      R"("ts":"2026-01-31T12:00:00.250Z"})"
      "\n");
}

TEST(Record, HoldsABodyAsTextOrAsBase64) {
  result_record record = example();
  record.body = "line\nand \"quotes\" \xc3\xa4";
  EXPECT_THAT(to_json_line(record), HasSubstr("\"body\":\"line\\nand \\\"quotes\\\" \xc3\xa4\""));
  record.body = "\xff\x00"s;
  EXPECT_THAT(to_json_line(record), HasSubstr(R"("body_b64":"/wA=")"));
  record.body.reset();
  record.body_omitted = true;
  EXPECT_THAT(to_json_line(record), HasSubstr(R"("body_omitted":true)"));
}

TEST(Record, SaysWhatItsBodyIsStillEncodedWith) {
  result_record record = example();
  record.content_encoding = "gzip, br";
  EXPECT_THAT(to_json_line(record), HasSubstr(R"("content_encoding":"gzip, br")"));
}

TEST(Record, IsValidJsonWhateverTheErrorSays) {
  result_record record = example();
  record.status = 0;
  record.outcome = outcome::connect;
  record.error = "torn \xff text\n";
  const std::string line = to_json_line(record);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto value = boost::json::parse(line);
  EXPECT_EQ(value.at("ok"), false);
  EXPECT_TRUE(value.at("status").is_null());
  EXPECT_EQ(value.at("outcome"), "connect");
}

TEST(Record, NamesEveryOutcomeAndReason) {
  for (std::size_t i = 0; i < outcome_count; ++i) EXPECT_NE(to_string(static_cast<outcome>(i)), "unknown");
  for (std::size_t i = 0; i < wait_reason_count; ++i)
    EXPECT_NE(to_string(static_cast<wait_reason>(i)), "unknown");
  EXPECT_EQ(to_string(static_cast<outcome>(outcome_count)), "unknown");
  EXPECT_EQ(to_string(static_cast<wait_reason>(wait_reason_count)), "unknown");
}

}  // namespace
