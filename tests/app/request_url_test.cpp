#include "dspu/request_url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dspu::app {
namespace {

TEST(RequestUrl, NamesOriginAndTarget) {
  struct row {
    const char* url;
    const char* origin;
    const char* target;
  };
  const row rows[] = {
      {"http://example.com", "http://example.com", "/"},
      {"http://example.com/", "http://example.com", "/"},
      {"HTTP://EXAMPLE.com:80/A", "http://example.com", "/A"},
      {"https://example.com:443/a?b=c", "https://example.com", "/a?b=c"},
      {"https://example.com:8443/a", "https://example.com:8443", "/a"},
      {"http://example.com:443/", "http://example.com:443", "/"},
      {"http://example.com?x=1", "http://example.com", "/?x=1"},
      {"http://example.com/a?", "http://example.com", "/a?"},
      {"http://example.com/a#part", "http://example.com", "/a"},
      {"http://example.com:/a", "http://example.com", "/a"},
      {"http://127.0.0.1:8080/x", "http://127.0.0.1:8080", "/x"},
      {"http://[::1]:8080/x", "http://[::1]:8080", "/x"},
      {"http://[0:0:0:0:0:0:0:1]/x", "http://[::1]", "/x"},
      {"http://h/%7Euser/%C3%A4", "http://h", "/%7Euser/%C3%A4"},
      {"http://under_score.example/", "http://under_score.example", "/"},
      {"http://h//two//slashes", "http://h", "//two//slashes"},
      {"https://example.com./", "https://example.com.", "/"},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(r.url);
    const parsed_url parsed = parse_url(r.url);
    EXPECT_EQ(parsed.server.to_string(), r.origin);
    EXPECT_EQ(parsed.target, r.target);
    EXPECT_FALSE(parsed.userinfo);
  }
}

TEST(RequestUrl, DecodesCredentials) {
  EXPECT_EQ(parse_url("http://user:pass@h/").userinfo, "user:pass");
  EXPECT_EQ(parse_url("http://us%40er:p%3Aw@h/").userinfo, "us@er:p:w");
  EXPECT_EQ(parse_url("http://user@h/").userinfo, "user:");
}

TEST(RequestUrl, SaysWhatIsWrong) {
  const std::string long_label = "http://" + std::string(64, 'a') + "/";
  std::string long_name = "http://a";
  for (int i = 0; i < 127; ++i) long_name += ".b";
  long_name += "/";
  struct row {
    const char* url;
    const char* reason;
  };
  const row rows[] = {
      {"", "empty"},
      {"example.com/a", "form http://host/path"},
      {"/a", "form http://host/path"},
      {"http:/a", "form http://host/path"},
      {"ftp://example.com/", "scheme \"ftp\""},
      {"http://", "names no host"},
      {"http:///path", "names no host"},
      {"http://h/a b", "space or control character at position 11"},
      {"http://h/a\tb", "space or control character at position 11"},
      {"http://h/a\"b", "illegal character '\"' at position 11"},
      {"http://h/{id}", "illegal character '{' at position 10"},
      {"http://h/a?b[]=1", "illegal character '[' at position 13"},
      {"http://h/\xC3\xA4", "outside ASCII at position 10"},
      {"http://h/%zz", "'%' at position 10"},
      {"http://h/%", "'%' at position 10"},
      {"http://h:0/", "port 0"},
      {"http://h:65536/", "port 65536"},
      {"http://h:99999999999/", "port 99999999999"},
      {"http://h:8x/", "form http://host/path"},
      {"http://a%20b/", "host \"a b\""},
      {"http://[::1/", "form http://host/path"},
      {"https://./", "host \".\""},
      {"https://../", "host \"..\""},
      {"https://.example.com/", "host \".example.com\""},
      {"https://a..b/", "host \"a..b\""},
      {"https://a.../", "host \"a...\""},
      {long_label.c_str(), "1 to 63 characters"},
      {long_name.c_str(), "at most 253"},
  };
  for (const auto& r : rows) {
    SCOPED_TRACE(r.url);
    try {
      static_cast<void>(parse_url(r.url));
      ADD_FAILURE() << "was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(r.reason), std::string::npos) << error.what();
      if (*r.url != '\0') {
        EXPECT_NE(std::string(error.what()).find(std::string(r.url).substr(0, 200)), std::string::npos)
            << error.what();
      }
    }
  }
}

TEST(RequestUrl, WritesHostHeaders) {
  EXPECT_EQ(parse_url("http://h/").server.authority(), "h");
  EXPECT_EQ(parse_url("https://h:80/").server.authority(), "h:80");
  EXPECT_EQ(parse_url("http://[::1]:8080/").server.authority(), "[::1]:8080");
  EXPECT_EQ(host_and_port("::1", 443), "[::1]:443");
}

TEST(NormalizeUrl, KeepsWhatIsFineAndMendsWhatIsHarmless) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"http://h/a?b=c", "http://h/a?b=c"},     {"HTTP://EXAMPLE.com/Path", "http://example.com/Path"},
      {"https://h:8443", "https://h:8443"},     {"http://[::1]:8080/x", "http://[::1]:8080/x"},
      {"http://h/a#fragment", "http://h/a"},    {"http://h/ä|b", "http://h/%C3%A4%7Cb"},
      {"http://h/100%", "http://h/100%25"},     {"http://h/%7e%zz", "http://h/%7e%25zz"},
      {"http://jörg:pä@h/", "http://j%C3%B6rg:p%C3%A4@h/"},
      {"http://h?q=[1]", "http://h?q=%5B1%5D"}, {"http://h//[x]/", "http://h//%5Bx%5D/"}};
  // Whether the server is known already or not.
  for (int i = 0; i < 2; ++i) {
    for (const auto& [text, expected] : table) EXPECT_EQ(normalize_url(text), expected) << text;
  }
}

TEST(NormalizeUrl, RefusesWithAReason) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "in full"},
      {"example.com/x", "in full"},
      {"//h/x", "in full"},
      {"ftp://h/x", "http and https"},
      {"http:///x", "no host"},
      {"http://:80/", "no host"},
      {"http://h:0/", "port"},
      {"http://h:65536/", "port"},
      {"http://h:999999999999999999999/", "port"},
      {"http://h/a b", "blank"},
      {"http://bücher.example/", "punycode"},
      {"http://h|x/", "host name"},
      {"http://h:x/", "form"},
      {"http://h:8x/", "form"},
      {"http://us@er:pw@h/", "written %40"},
      {"http://user:p/w@h/", "percent-encoded"},
      {"http://user@bücher.example/", "punycode"},
      {"http://h:80:90/", "form"}};
  for (const auto& [text, reason] : table) {
    try {
      normalize_url(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(reason)) << text;
    }
  }
}

TEST(RedactUrl, HidesWhoeverAsks) {
  const std::pair<const char*, const char*> rows[] = {
      {"http://h/a?b#c", "http://h/a?b#c"},
      {"http://h:8080/x@y", "http://h:8080/x@y"},
      {"http://[::1]:80/x@y", "http://[::1]:80/x@y"},
      {"https://user:secret@h/x", "https://***@h/x"},
      {"https://token@h", "https://***@h"},
      {"https://user:se@cret@h:1/x@y", "https://***@h:1/x@y"},
      {"user:secret@h", "***@h"},
      // What is no URL: a password with a slash, a question mark or a hash in it.
      {"http://user:sec/ret@h/", "http://***@h/"},
      {"http://user:sec?ret@h/", "http://***@h/"},
      {"http://user:#secret@h/", "http://***@h/"},
      {"", ""}};
  for (const auto& [url, shown] : rows) EXPECT_EQ(redact_url(url), shown) << url;
}

TEST(TakeUserinfo, LeavesTheUrlWithoutIt) {
  const auto taken = [](std::string url) {
    const auto userinfo = take_userinfo(url);
    return std::pair(userinfo, url);
  };
  using testing::Pair;
  EXPECT_THAT(taken("http://h/x@y"), Pair(std::nullopt, "http://h/x@y"));
  EXPECT_THAT(taken("http://us%40er:p%3Aw@h/x"), Pair("us@er:p:w", "http://h/x"));
  EXPECT_THAT(taken("http://user@h"), Pair("user:", "http://h"));
  EXPECT_THAT(taken("http://@h/"), Pair(std::nullopt, "http://h/"));
}

}  // namespace
}  // namespace dspu::app
