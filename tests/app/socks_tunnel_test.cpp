// The client through a SOCKS5 proxy that plays its part byte by byte, over loopback.
#include "dspu/http_client.hpp"
#include "dspu/outgoing_request.hpp"
#include "dspu/proxy.hpp"

#include "net_support.hpp"

#include <gmock/gmock.h>

namespace dspu::app::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using testing::HasSubstr;

// Reads so many bytes, then writes those, and so on; then it is the server behind the tunnel, and answers one
// request.
struct step {
  std::size_t reads;
  std::string writes;
};

class SocksTunnelWallClock : public testing::Test {
 protected:
  outcome fetch_through(std::vector<step> steps, const std::string& scheme_and_user, const std::string& url,
                        http_client_options o = {}) {
    heard.clear();
    acceptor.emplace(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::co_spawn(loop, play(std::move(steps)), asio::detached);
    o.proxy = scheme_and_user + "127.0.0.1:" + std::to_string(acceptor->local_endpoint().port());
    http_client client(loop.get_executor(), o);
    return fetch(loop, client, url);
  }

  asio::awaitable<void> play(std::vector<step> steps) {
    boost::system::error_code ec;
    auto socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, ec));
    for (const step& s : steps) {
      std::string bytes(s.reads, 0);
      co_await asio::async_read(socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return;
      heard.push_back(bytes);
      co_await asio::async_write(socket, asio::buffer(s.writes),
                                 asio::redirect_error(asio::use_awaitable, ec));
    }
    std::string request;
    auto buffer = asio::dynamic_buffer(request);
    co_await asio::async_read_until(socket, buffer, "\r\n\r\n",
                                    asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    heard.push_back(request);
    const std::string answer = ok("behind it");
    co_await asio::async_write(socket, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, ec));
  }

  asio::io_context loop;
  std::optional<tcp::acceptor> acceptor;
  std::vector<std::string> heard;
};

const std::string stands = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s;

void expect_failure(const outcome& o, transport_failure kind, const std::string& words) {
  ASSERT_TRUE(o.failure) << "was answered";
  EXPECT_EQ(to_string(*o.failure), to_string(kind)) << o.what;
  EXPECT_THAT(o.what, HasSubstr(words));
  EXPECT_FALSE(o.reached.sent);
}

TEST_F(SocksTunnelWallClock, LetsTheProxyLookTheNameUp) {
  const outcome o =
      fetch_through({{3, "\x05\x00"s}, {5 + 6 + 2, stands}}, "socks5h://", "http://a.test:81/x");
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.body, "behind it");
  EXPECT_EQ(heard.at(0), "\x05\x01\x00"s);
  EXPECT_EQ(heard.at(1),
            "\x05\x01\x00\x03\x06"
            "a.test\x00\x51"s);
  EXPECT_THAT(heard.at(2), testing::StartsWith("GET /x HTTP/1.1\r\nHost: a.test:81\r\n")) << "it is a tunnel";
}

TEST_F(SocksTunnelWallClock, LooksTheNameUpItself) {
  http_client_options o;
  o.lookup = [](const std::string& host) {
    EXPECT_EQ(host, "a.test");
    return lookup_result{{asio::ip::make_address("192.0.2.7")}, {}};
  };
  EXPECT_TRUE(fetch_through({{3, "\x05\x00"s}, {10, stands}}, "socks5://", "http://a.test/", o).response);
  EXPECT_EQ(heard.at(1), "\x05\x01\x00\x01\xc0\x00\x02\x07\x00\x50"s);
  EXPECT_TRUE(
      fetch_through({{3, "\x05\x00"s}, {22, stands}}, "socks5h://", "http://[2001:db8::1]/", o).response);
  EXPECT_EQ(heard.at(1), "\x05\x01\x00\x04\x20\x01\x0d\xb8"s + std::string(11, 0) + "\x01\x00\x50"s);
}

TEST_F(SocksTunnelWallClock, SaysWhoItIs) {
  const std::vector<step> steps{{4, "\x05\x02"s}, {1 + 1 + 4 + 1 + 6, "\x01\x00"s}, {13, stands}};
  EXPECT_TRUE(fetch_through(steps, "socks5h://user:p%40ss:w@", "http://a.test/").response);
  EXPECT_EQ(heard.at(0), "\x05\x02\x00\x02"s);
  EXPECT_EQ(heard.at(1), "\x01\x04user\x06p@ss:w"s);
}

TEST_F(SocksTunnelWallClock, SkipsTheAddressThatTheProxyConnectsFrom) {
  for (const std::string& from : {"\x01"
                                  "abcd"s,
                                  "\x03\x05"
                                  "proxy"s,
                                  "\x04"
                                  "0123456789abcdef"s})
    EXPECT_TRUE(fetch_through({{3, "\x05\x00"s}, {13, "\x05\x00\x00"s + from + "\x12\x34"}}, "socks5h://",
                              "http://a.test/")
                    .response);
}

TEST_F(SocksTunnelWallClock, TellsARefusalFromAHostThatIsDown) {
  const auto replying = [&](char reply) {
    return fetch_through({{3, "\x05\x00"s}, {13, std::string{5, reply, 0, 1, 0, 0, 0, 0, 0, 0}}},
                         "socks5h://", "http://a.test/");
  };
  expect_failure(replying(2), transport_failure::proxy, "does not allow this connection");
  expect_failure(replying(5), transport_failure::connect, "was refused by the host");
  expect_failure(replying(4), transport_failure::connect, "cannot reach the host");
  expect_failure(replying(99), transport_failure::protocol, "malformed answer");
  expect_failure(fetch_through({{3, "\x05\xff"s}}, "socks5h://", "http://a.test/"), transport_failure::proxy,
                 "wants a user and a password");
  expect_failure(fetch_through({{4, "\x05\x02"s}, {6, "\x01\x01"s}}, "socks5h://u:pw@", "http://a.test/"),
                 transport_failure::proxy, "does not accept the user and password");
  expect_failure(fetch_through({{3, "HTTP/1.1 400 Bad Request\r\n\r\n"}}, "socks5h://", "http://a.test/"),
                 transport_failure::protocol, "is it a SOCKS5 proxy?");
  expect_failure(fetch_through({{3, "\x05"s}, {1000, ""}}, "socks5h://", "http://a.test/",
                               [] {
                                 http_client_options o;
                                 o.connect_timeout = 50ms;
                                 return o;
                               }()),
                 transport_failure::connect_timeout, "the tunnel through proxy socks5://127.0.0.1");
}

TEST_F(SocksTunnelWallClock, SharesNoTunnelAmongHosts) {
  const proxy_rules rules("socks5h://127.0.0.1:1", process_environment());
  http_request a, b;
  a.url = "http://a.test/";
  b.url = "http://b.test/";
  EXPECT_NE(compose(a, rules, {.user_agent = "x"}).way.key(),
            compose(b, rules, {.user_agent = "x"}).way.key());
}

}  // namespace
}  // namespace dspu::app::test
