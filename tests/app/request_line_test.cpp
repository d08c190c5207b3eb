#include "dspu/request_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::string_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

http_request request_of(std::string_view line, const request_defaults& defaults = {}) {
  return parse_request_line(line, defaults).value().request;
}

TEST(RequestLine, ReadsAUrl) {
  const auto line = parse_request_line("  https://Example.com/a?b#c\r", {});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->id, std::nullopt);
  EXPECT_EQ(line->request.method, "GET");
  EXPECT_EQ(line->request.url, "https://example.com/a?b");
}

TEST(RequestLine, SkipsBlankLinesAndComments) {
  for (const std::string_view text : {"", " ", "\r", "\t", "# https://h/", "  #x"}) {
    EXPECT_FALSE(parse_request_line(text, {})) << text;
  }
  EXPECT_EQ(request_of("https://h/x   # a comment").url, "https://h/x");
}

TEST(RequestLine, ReadsAJsonObject) {
  const auto line = parse_request_line(
      R"({"id":"a-1","url":"http://h/x","method":"PUT","headers":{"A":"1","B":["2","3"]},"body":"hi"})", {});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->id, "a-1");
  EXPECT_EQ(line->request.method, "PUT");
  EXPECT_EQ(line->request.body, "hi");
  EXPECT_THAT(line->request.headers, ElementsAre(Pair("A", "1"), Pair("B", "2"), Pair("B", "3")));
  EXPECT_EQ(parse_request_line(R"({"id":17,"url":"http://h"})", {})->id, "17");
}

TEST(RequestLine, DecodesABinaryBodyAndPostsIt) {
  const auto request = request_of(R"({"url":"http://h","body_b64":"AP8="})");
  EXPECT_EQ(request.body, "\x00\xff"s);
  EXPECT_EQ(request.method, "POST");
  EXPECT_TRUE(request.headers.empty());
}

TEST(RequestLine, LetsTheLineWinOverTheDefaults) {
  const request_defaults defaults{
      .method = "PATCH", .headers = {{"accept", "x"}, {"Token", "t"}}, .body = "d"};
  const auto plain = request_of("http://h", defaults);
  EXPECT_EQ(plain.method, "PATCH");
  EXPECT_EQ(plain.body, "d");
  EXPECT_THAT(plain.headers, ElementsAre(Pair("accept", "x"), Pair("Token", "t"),
                                         Pair("Content-Type", "application/x-www-form-urlencoded")));
  const auto own =
      request_of(R"({"url":"http://h","method":"PUT","headers":{"Accept":"y"},"body":""})", defaults);
  EXPECT_EQ(own.method, "PUT");
  EXPECT_EQ(own.body, "");
  EXPECT_THAT(own.headers, ElementsAre(Pair("Accept", "y"), Pair("Token", "t")));
}

TEST(RequestLine, MaySwitchKeepAliveOff) {
  EXPECT_THAT(request_of(R"({"url":"http://h","headers":{"connection":"Close"}})").headers,
              ElementsAre(Pair("connection", "Close")));
}

TEST(RequestLine, PostsTheDefaultBody) { EXPECT_EQ(request_of("http://h", {.body = "a=b"}).method, "POST"); }

TEST(RequestLine, MakesAHeaderOfCredentialsInAUrl) {
  const auto line = parse_request_line("https://user:pass@H/x#top", {});
  EXPECT_EQ(line->request.url, "https://h/x");
  EXPECT_THAT(line->request.headers, ElementsAre(Pair("Authorization", "Basic dXNlcjpwYXNz")));
  EXPECT_EQ(line->asked, "https://***@H/x#top");
  EXPECT_THAT(request_of("https://u:p@h", {.headers = {{"authorization", "Bearer t"}}}).headers,
              ElementsAre(Pair("authorization", "Bearer t")));
}

TEST(RequestLine, RemembersTheUrlAsItWasAskedFor) {
  EXPECT_EQ(parse_request_line("http://h/x", {})->asked, "") << "that is the request's";
  for (const char* url : {"HTTP://Host/A#b", "http://h/%zz", "http://h/ü"}) {
    const auto line = parse_request_line(url, {});
    EXPECT_EQ(line->asked, url);
    EXPECT_EQ(parse_request_line(to_request_line("1", line->request, line->asked), {})->asked, url);
  }
}

TEST(RequestLine, WritesCredentialsIntoAHeaderAndNotIntoTheUrl) {
  const auto line = parse_request_line("http://user:pass@h/#a", {});
  const std::string text = to_request_line("1", line->request, line->asked);
  EXPECT_THAT(text, HasSubstr(R"("url":"http://h/")"));
  EXPECT_THAT(text, HasSubstr("Basic dXNlcjpwYXNz"));
}

TEST(RequestLine, ShowsNoSecretsInWhatIsWrong) {
  const auto refusal = [](const auto& parse) -> std::string {
    try {
      parse();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  for (const char* url : {"http://user:secret@h:99999/", "ftp://user:secret@h/", "user:secret@h",
                          "http://user:secret@h/a b", "http://user:a/secret@h/"}) {
    EXPECT_THAT(refusal([&] { parse_request_line(url, {}); }),
                AllOf(HasSubstr("URL"), Not(HasSubstr("secret"))))
        << url;
  }
  for (const char* header :
       {"Authorization Bearer secret", "Authorization Bearer secret: x", "Authorization: secret\x01"}) {
    EXPECT_THAT(refusal([&] { parse_header(header); }),
                AllOf(HasSubstr("Authorization"), Not(HasSubstr("secret"))));
  }
}

TEST(RequestLine, SendsJsonAsItIsWritten) {
  const auto request = request_of(R"({"url":"http://h","json":{"a": 0.10,"n":12345678901234567890123}})");
  EXPECT_EQ(request.body, R"({"a": 0.10,"n":12345678901234567890123})");
  EXPECT_EQ(request.method, "POST");
  EXPECT_THAT(request.headers, ElementsAre(Pair("Content-Type", "application/json")));
  EXPECT_THAT(request_of(R"({"url":"http://h","headers":{"content-type":"x"},"json":null})").headers,
              ElementsAre(Pair("content-type", "x")));
  EXPECT_EQ(request_of(to_request_line("1", request)).body, request.body);
}

TEST(RequestLine, PassesMetaThrough) {
  const std::string text = R"({"url":"http://h","meta":{"order": [7, 0.10]}})";
  const auto line = parse_request_line(text, {});
  EXPECT_EQ(line->meta, R"({"order": [7, 0.10]})");
  EXPECT_EQ(parse_request_line(to_request_line("1", line->request, {}, line->meta), {})->meta, line->meta);
}

TEST(RequestLine, KeepsAnEmptyBodyEmpty) {
  const auto request = request_of(R"({"url":"http://h","method":"POST","body":""})", {.body = "of -d"});
  const auto again = request_of(to_request_line("1", request), {.body = "of -d"});
  EXPECT_EQ(again.body, "");
}

TEST(RequestLine, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string_view>> table{
      {"example.com", "in full"},
      {"http://h/a b", "%20"},
      {"http://h/a\0b"s, "NUL"},
      {"{", "JSON"},
      {R"({"url":"http://h"} x)", "JSON"},
      {R"({"method":"GET"})", "\"url\" is missing"},
      {R"({"url":5})", "\"url\" must be text"},
      {R"({"url":"ftp://h"})", "http and https"},
      {R"({"url":"http://h","metod":"GET"})", "unknown key \"metod\""},
      {R"({"url":"http://h","method":"G T"})", "'G T' is not an HTTP method"},
      {R"({"url":"http://h","method":"CONNECT"})", "tunnel"},
      {R"({"url":"http://h","id":""})", "\"id\" must have 1 to 1024"},
      {R"({"url":"http://h","id":1.5})", "\"id\" must be"},
      {R"({"url":"http://h","headers":[]})", "\"headers\" must be an object"},
      {R"({"url":"http://h","headers":{"A":1}})", "\"A\" must be text"},
      {R"({"url":"http://h","headers":{"A b":"1"}})", "not a header name"},
      {R"({"url":"http://h","headers":{"A":"1\r\nB: 2"}})", "line break"},
      {R"({"url":"http://h","headers":{"A":"a\u0001b"}})", "'A' holds a control character"},
      {R"({"url":"http://h","headers":{"A":["b","a\u007fb"]}})", "'A' holds a control character"},
      {R"({"url":"http://h","headers":{"content-length":"1"}})", "set by dspu"},
      {R"({"url":"http://h","headers":{"Connection":"upgrade"}})", "may only be close"},
      {R"({"url":"http://h","body_b64":"?"})", "not base64"},
      {R"({"url":"http://h","body":"a","body_b64":"Zg=="})", "exclude each other"},
      {R"({"url":"http://h","body":"a","json":{}})", "exclude each other"},
      {R"({"url":"http://h","me\u0074a":1})", "without escapes"},
      {R"({"url":"http://h","body":{}})", "\"body\" must be text"}};
  for (const auto& [text, reason] : table) {
    try {
      parse_request_line(text, {});
      ADD_FAILURE() << "accepted " << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(reason))) << text;
    }
  }
}

TEST(RequestLine, ReadsBackWhatItWrites) {
  http_request request{"POST", "http://h/x?y=%20", {{"A", "1"}, {"B", "2"}, {"A", "3"}}, "text \"quoted\"\n"};
  auto back = parse_request_line(to_request_line("id-9", request), {});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, "id-9");
  EXPECT_EQ(back->request.method, "POST");
  EXPECT_EQ(back->request.url, request.url);
  EXPECT_EQ(back->request.body, request.body);
  EXPECT_THAT(back->request.headers, ElementsAre(Pair("A", "1"), Pair("A", "3"), Pair("B", "2")));
  request.body = "\xff\x00"s;
  EXPECT_EQ(parse_request_line(to_request_line("x", request), {})->request.body, request.body);
}

TEST(ParseHeader, SplitsAtTheFirstColon) {
  EXPECT_THAT(parse_header("X-Time:  12:30 "), Pair("X-Time", "12:30"));
  EXPECT_THAT(parse_header("Empty:"), Pair("Empty", ""));
  EXPECT_THROW(parse_header("no colon"), std::invalid_argument);
  EXPECT_THROW(parse_header(": x"), std::invalid_argument);
}

// Found by fuzzing: --failed-to wrote a header that was not UTF-8 into JSON, and -i refused the line.
TEST(ParseHeader, RefusesWhatIsNotUtf8) {
  EXPECT_THAT(parse_header("Name: m\xc3\xbcller"), Pair("Name", "m\xc3\xbcller"));
  EXPECT_THROW(parse_header("Name: m\xfcller"), std::invalid_argument);
}

}  // namespace
