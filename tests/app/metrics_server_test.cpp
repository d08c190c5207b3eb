#include "dspu/metrics_server.hpp"

#include "app/net_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace dspu::app {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string refusal(const char* text) {
  try {
    static_cast<void>(parse_loopback(text));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseLoopback, TakesAddressesOfThisMachine) {
  EXPECT_EQ(parse_loopback("127.0.0.1:9090"), tcp::endpoint(asio::ip::make_address("127.0.0.1"), 9090));
  EXPECT_EQ(parse_loopback("127.8.9.1:0"), tcp::endpoint(asio::ip::make_address("127.8.9.1"), 0));
  EXPECT_EQ(parse_loopback("[::1]:80"), tcp::endpoint(asio::ip::make_address("::1"), 80));
  EXPECT_EQ(parse_loopback("localhost:1"), tcp::endpoint(asio::ip::make_address("127.0.0.1"), 1));
}

TEST(ParseLoopback, RefusesOthersAndSaysWhy) {
  for (const char* text : {"0.0.0.0:9090", "192.168.1.1:9090", "[::]:9090", "8.8.8.8:1"})
    EXPECT_THAT(refusal(text), AllOf(HasSubstr(text), HasSubstr("not on loopback"))) << text;
  for (const char* text : {"127.0.0.1", "9090"})
    EXPECT_THAT(refusal(text), HasSubstr("names no port")) << text;
  for (const char* text : {"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"})
    EXPECT_THAT(refusal(text), HasSubstr("port from 0 to 65535")) << text;
  for (const char* text : {"example.com:9090", ":9090"})
    EXPECT_THAT(refusal(text), HasSubstr("not an address")) << text;
}

class MetricsServerWallClock : public ::testing::Test {
 protected:
  // Sends it, and reads until the server closes.
  std::string ask(metrics_server& server, const std::string& request) {
    const std::string url = server.url();
    const auto port = static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
    tcp::socket peer(loop);
    std::string text;
    bool done = false;
    asio::co_spawn(loop, talk(peer, port, request, text), [&](std::exception_ptr) { done = true; });
    test::run_until(loop, [&] { return done; });
    return text;
  }
  static asio::awaitable<void> talk(tcp::socket& peer, std::uint16_t port, std::string request,
                                    std::string& text) {
    const tcp::endpoint there(asio::ip::make_address("127.0.0.1"), port);
    co_await peer.async_connect(there, asio::use_awaitable);
    co_await asio::async_write(peer, asio::buffer(request), asio::use_awaitable);
    boost::system::error_code ec;
    co_await asio::async_read(peer, asio::dynamic_buffer(text),
                              asio::redirect_error(asio::use_awaitable, ec));
  }

  asio::io_context loop{1};
};

TEST_F(MetricsServerWallClock, GivesThePageToWhoeverAsks) {
  int asked = 0;
  metrics_server server(loop.get_executor(), parse_loopback("127.0.0.1:0"),
                        [&] { return "page " + std::to_string(++asked) + "\n"; });
  EXPECT_THAT(server.url(), AllOf(StartsWith("http://127.0.0.1:"), EndsWith("/metrics")));
  EXPECT_THAT(ask(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("text/plain; version=0.0.4"),
                    EndsWith("\r\n\r\npage 1\n")));
  EXPECT_THAT(ask(server, "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"), EndsWith("page 2\n"));
  EXPECT_THAT(ask(server, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AllOf(HasSubstr("Content-Length: 7"), EndsWith("\r\n\r\n")));
  server.stop();
  test::run_until(loop, [&] { return loop.stopped(); });
}

TEST_F(MetricsServerWallClock, AnswersNothingElse) {
  metrics_server server(loop.get_executor(), parse_loopback("127.0.0.1:0"),
                        []() -> std::string { throw std::runtime_error("no page today"); });
  EXPECT_THAT(ask(server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(server, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD")));
  EXPECT_THAT(ask(server, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("no page today")));
  EXPECT_THAT(ask(server, "no HTTP at all\r\n\r\n"), IsEmpty());
}

TEST_F(MetricsServerWallClock, RefusesAForeignHost) {
  metrics_server server(loop.get_executor(), parse_loopback("127.0.0.1:0"), [] { return "page"; });
  for (const char* host : {"localhost", "LOCALHOST:9090", "127.0.0.1", "127.0.0.1:9090", "[::1]", "[::1]:1"})
    EXPECT_THAT(ask(server, std::string("GET /metrics HTTP/1.1\r\nHost: ") + host + "\r\n\r\n"),
                StartsWith("HTTP/1.1 200"))
        << host;
  EXPECT_THAT(ask(server, "GET /metrics HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  for (const char* host : {"evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example",
                           "10.0.0.1:9090", "[2001:db8::1]:9090", "[::1", "", "localhost\r\nHost: evil.example"})
    EXPECT_THAT(ask(server, std::string("GET /metrics HTTP/1.1\r\nHost: ") + host + "\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 403"), Not(HasSubstr("page"))))
        << host;
}

TEST_F(MetricsServerWallClock, LetsTheLoopEndWhenItIsStopped) {
  auto server = std::make_unique<metrics_server>(loop.get_executor(), parse_loopback("127.0.0.1:0"),
                                                 [] { return std::string(); });
  const std::string url = server->url();
  const auto port = static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
  tcp::socket silent(loop);
  silent.connect({asio::ip::make_address("127.0.0.1"), port});
  loop.run_for(std::chrono::milliseconds(50));
  server.reset();
  EXPECT_GT(loop.run_for(std::chrono::seconds(5)), 0u);
  EXPECT_TRUE(loop.stopped());
}

TEST_F(MetricsServerWallClock, SaysWhereItCannotListen) {
  metrics_server first(loop.get_executor(), parse_loopback("127.0.0.1:0"), [] { return std::string(); });
  const std::string url = first.url();
  const auto taken = url.substr(7, url.rfind('/') - 7);
  try {
    metrics_server second(loop.get_executor(), parse_loopback(taken), [] { return std::string(); });
    FAIL() << "two servers on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr(taken));
  }
}

}  // namespace
}  // namespace dspu::app
