#include "dspu/outgoing_request.hpp"

#include <gmock/gmock.h>

namespace dspu::app {
namespace {

using testing::HasSubstr;
using testing::Not;

const proxy_rules& no_proxies() {
  static const proxy_rules rules("", [](const char*) -> const char* { return nullptr; });
  return rules;
}

const proxy_rules& one_proxy() {
  static const proxy_rules rules("http://u:p@proxy:3128", [](const char*) -> const char* { return nullptr; });
  return rules;
}

outgoing_request composed(const http_request& request, const proxy_rules& proxies = no_proxies()) {
  return compose(request, proxies, {.user_agent = "dspu/test"});
}

TEST(OutgoingRequest, WritesAPlainGet) {
  http_request request;
  request.url = "http://Example.com:8080/a?b#c";
  EXPECT_EQ(composed(request).head,
            "GET /a?b HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: dspu/test\r\nAccept: */*\r\n"
            "Accept-Encoding: gzip\r\n\r\n");
}

TEST(OutgoingRequest, LetsTheUsersHeadersWin) {
  http_request request;
  request.url = "http://h/";
  request.headers = {{"host", "virtual"},       {"user-agent", "me"},          {"ACCEPT", "text/html"},
                     {"accept-encoding", "br"}, {"Authorization", "Bearer t"}, {"Content-Length", "999"}};
  const outgoing_request out = composed(request);
  EXPECT_EQ(out.head,
            "GET / HTTP/1.1\r\nHost: virtual\r\nuser-agent: me\r\nACCEPT: text/html\r\n"
            "accept-encoding: br\r\nAuthorization: Bearer t\r\n\r\n");
  EXPECT_FALSE(out.inflate);
}

TEST(OutgoingRequest, JoinsASmallBodyAndPointsAtALargeOne) {
  http_request request;
  request.url = "http://h/";
  request.method = "POST";
  request.body = "small";
  const outgoing_request small = composed(request);
  EXPECT_THAT(small.head, testing::EndsWith("Content-Length: 5\r\n\r\nsmall"));
  EXPECT_TRUE(small.body.empty());

  request.body.assign(100'000, 'x');
  const outgoing_request large = composed(request);
  EXPECT_THAT(large.head, testing::EndsWith("Content-Length: 100000\r\n\r\n"));
  EXPECT_EQ(large.body.data(), request.body.data());
}

TEST(OutgoingRequest, AnnouncesAnEmptyBodyOnlyWhereOneIsExpected) {
  http_request request;
  request.url = "http://h/";
  request.method = "POST";
  EXPECT_THAT(composed(request).head, HasSubstr("Content-Length: 0\r\n"));
  request.method = "DELETE";
  EXPECT_THAT(composed(request).head, Not(HasSubstr("Content-Length")));
}

TEST(OutgoingRequest, KnowsWhatMayBeSentTwice) {
  const std::pair<const char*, bool> rows[] = {{"GET", true},    {"HEAD", true},    {"PUT", true},
                                               {"DELETE", true}, {"OPTIONS", true}, {"TRACE", true},
                                               {"POST", false},  {"PATCH", false},  {"BREW", false}};
  for (const auto& [method, idempotent] : rows) {
    http_request request;
    request.url = "http://h/";
    request.method = method;
    EXPECT_EQ(composed(request).idempotent, idempotent) << method;
    request.headers = {{"idempotency-key", "k"}};
    EXPECT_TRUE(composed(request).idempotent) << method;
  }
}

TEST(OutgoingRequest, GoesThroughAProxy) {
  http_request request;
  request.url = "http://h/a";
  const outgoing_request plain = composed(request, one_proxy());
  EXPECT_THAT(plain.head, testing::StartsWith("GET http://h/a HTTP/1.1\r\nHost: h\r\n"));
  EXPECT_THAT(plain.head, HasSubstr("Proxy-Authorization: Basic dTpw\r\n"));

  request.url = "https://h/a";
  request.headers = {{"Proxy-Authorization", "secret"}};
  const outgoing_request tunnelled = composed(request, one_proxy());
  EXPECT_THAT(tunnelled.head, testing::StartsWith("GET /a HTTP/1.1\r\nHost: h\r\n"));
  EXPECT_THAT(tunnelled.head, Not(HasSubstr("Proxy-Authorization")));
}

TEST(OutgoingRequest, SharesConnectionsOnlyWhereThatIsSafe) {
  const auto key = [](const char* url, const proxy_rules& proxies) {
    http_request request;
    request.url = url;
    return compose(request, proxies, {.user_agent = "x"}).way.key();
  };
  EXPECT_EQ(key("http://H:80/a", no_proxies()), key("http://h/b", no_proxies()));
  EXPECT_NE(key("http://h/", no_proxies()), key("https://h/", no_proxies()));
  EXPECT_EQ(key("http://a/", one_proxy()), key("http://b/", one_proxy()));
  EXPECT_NE(key("https://a/", one_proxy()), key("https://b/", one_proxy()));
}

TEST(OutgoingRequest, RefusesWhatWouldBreakTheMessage) {
  const auto refused = [](const http_request& request) {
    try {
      static_cast<void>(composed(request));
      return false;
    } catch (const transport_error& error) {
      return error.kind() == transport_failure::unsendable && !error.progress().sent;
    }
  };
  http_request good;
  good.url = "http://h/";
  EXPECT_FALSE(refused(good));
  for (const char* method : {"", "GET /", "G\r\n", "CONNECT"}) {
    http_request request = good;
    request.method = method;
    EXPECT_TRUE(refused(request)) << method;
  }
  const std::pair<std::string, std::string> headers[] = {
      {"X", "a\r\nInjected: 1"},       {"X", std::string("a\0b", 3)}, {"X:", "a"}, {"", "a"}, {"X Y", "a"},
      {"Transfer-Encoding", "chunked"}};
  for (const auto& header : headers) {
    http_request request = good;
    request.headers = {header};
    EXPECT_TRUE(refused(request)) << header.first;
  }
  http_request bad_url = good;
  bad_url.url = "http://h/a b";
  EXPECT_TRUE(refused(bad_url));
}

}  // namespace
}  // namespace dspu::app
