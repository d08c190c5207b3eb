// The client against a peer that plays scripts, over loopback.
#include "dspu/http_client.hpp"

#include "dspu/aio/timeout.hpp"
#include "dspu/gzip.hpp"
#include "net_support.hpp"

#include <gmock/gmock.h>

#include <future>

namespace dspu::app::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using ending = scripted_server::ending;

class HttpClientWallClock : public testing::Test {
 protected:
  outcome answer_with(const std::string& bytes, ending end = ending::close,
                      const http_client_options& o = direct(), const char* method = "GET") {
    scripted_server server(loop, {{{bytes}, end}});
    http_client client(loop.get_executor(), o);
    http_request request;
    request.method = method;
    request.url = server.url("/path");
    outcome result = fetch(loop, client, request);
    idle_after = client.idle_connections();
    return result;
  }

  asio::io_context loop;
  std::size_t idle_after = 0;
};

void expect_failure(const outcome& o, transport_failure kind, const std::string& words) {
  ASSERT_TRUE(o.failure) << (o.response ? "answered with " + std::to_string(o.response->status) : o.what);
  EXPECT_EQ(to_string(*o.failure), to_string(kind)) << o.what;
  EXPECT_THAT(o.what, HasSubstr(words));
}

http_request post(const std::string& url) {
  http_request request;
  request.method = "POST";
  request.url = url;
  request.body = "order";
  return request;
}

TEST_F(HttpClientWallClock, HandsOverHeadAndBody) {
  const outcome o =
      answer_with("HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello", ending::hold);
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.response->status, 201U);
  EXPECT_THAT(o.response->headers, testing::ElementsAre(testing::Pair("X-A", "1"), testing::Pair("x-a", "2"),
                                                        testing::Pair("Content-Length", "5")));
  EXPECT_EQ(o.response->body_bytes, 5U);
  EXPECT_EQ(o.body, "hello");
  EXPECT_EQ(idle_after, 1U);
}

TEST_F(HttpClientWallClock, ReadsEveryFraming) {
  const std::pair<const char*, const char*> rows[] = {
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: "
       "t\r\n\r\n",
       "abcde"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", "old"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", ""},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
       "OK\r\nContent-Length: 2\r\n\r\nok",
       "ok"},
  };
  for (const auto& [bytes, body] : rows) {
    SCOPED_TRACE(bytes);
    const outcome o = answer_with(bytes);
    ASSERT_TRUE(o.response) << o.what;
    EXPECT_EQ(o.body, body);
  }
}

TEST_F(HttpClientWallClock, ExpectsNoBodyAfterHead) {
  const outcome o = answer_with("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Encoding: gzip\r\n\r\n",
                                ending::hold, direct(), "HEAD");
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.response->body_bytes, 0U);
  EXPECT_EQ(idle_after, 1U);
}

TEST_F(HttpClientWallClock, KeepsNoConnectionThatIsNotClean) {
  answer_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", ending::hold);
  EXPECT_EQ(idle_after, 0U) << "the server said close";
  answer_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", ending::hold);
  EXPECT_EQ(idle_after, 0U) << "more bytes came than were announced";
  answer_with("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ending::hold);
  EXPECT_EQ(idle_after, 0U) << "HTTP/1.0 does not keep alive";
}

TEST_F(HttpClientWallClock, CallsATruncatedResponseReset) {
  expect_failure(answer_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), transport_failure::reset,
                 "within its body");
  expect_failure(answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                 transport_failure::reset, "within its body");
  expect_failure(answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
                 transport_failure::reset, "within its body");
  expect_failure(answer_with("HTTP/1.1 200 OK\r\nContent-"), transport_failure::reset, "within its header");
  expect_failure(answer_with("HTTP/1.1 200 OK\r\n\r\nno length", ending::reset), transport_failure::reset,
                 "within its body");
  expect_failure(answer_with(""), transport_failure::reset, "before an answer");
}

TEST_F(HttpClientWallClock, CallsAMalformedResponseAProtocolError) {
  for (const char* bytes : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 000 OK\r\n\r\n",
                            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"}) {
    SCOPED_TRACE(bytes);
    const outcome o = answer_with(bytes);
    expect_failure(o, transport_failure::protocol, "malformed");
    EXPECT_EQ(o.reached.status, std::string_view(bytes).starts_with("HTTP/1.1 200") ? 200U : 0U);
  }
  const outcome o = answer_with("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n");
  expect_failure(o, transport_failure::protocol, "the size of a chunk is \"zz\"");
  EXPECT_EQ(o.reached.status, 500U);
  EXPECT_EQ(o.reached.bytes, 2U);
}

// RFC 9112, 6.1: the server and somebody between may disagree about where the next response begins.
TEST_F(HttpClientWallClock, ClosesAConnectionWhoseFramingIsAmbiguous) {
  const outcome o = answer_with(
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      ending::hold);
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.body, "hello");
  EXPECT_EQ(idle_after, 0U);
}

TEST_F(HttpClientWallClock, TakesNoSwitchOfProtocolsForAnAnswer) {
  const outcome o =
      answer_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", ending::hold);
  expect_failure(o, transport_failure::protocol, "another protocol (status 101)");
  EXPECT_EQ(o.reached.status, 101U);
}

TEST_F(HttpClientWallClock, SaysHowFarAnExchangeHadCome) {
  const outcome cut = answer_with("HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nhalf");
  EXPECT_TRUE(cut.reached.sent);
  EXPECT_EQ(cut.reached.status, 503U);
  EXPECT_EQ(cut.reached.bytes, 4U);
  const outcome silent = answer_with("");
  EXPECT_TRUE(silent.reached.sent);
  EXPECT_EQ(silent.reached.status, 0U);
}

TEST_F(HttpClientWallClock, LimitsTheHeader) {
  const std::string fits =
      "HTTP/1.1 200 OK\r\nX: " + std::string(250 * 1024, 'x') + "\r\nContent-Length: 0\r\n\r\n";
  EXPECT_TRUE(answer_with(fits).response);
  const std::string long_line = "HTTP/1.1 200 OK\r\nX: " + std::string(270 * 1024, 'x') + "\r\n\r\n";
  expect_failure(answer_with(long_line), transport_failure::protocol, "256 KiB");
}

TEST_F(HttpClientWallClock, TakesManyInterimResponses) {
  std::string bytes;
  for (int i = 0; i < 200; ++i) bytes += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(answer_with(bytes + ok("at last")).body, "at last");
}

std::string gzipped(const std::string& compressed) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + std::to_string(compressed.size()) +
         "\r\n\r\n" + compressed;
}

TEST_F(HttpClientWallClock, InflatesWhatItAskedFor) {
  const outcome o = answer_with(gzipped(gzip("hello hello hello")));
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.body, "hello hello hello");
  EXPECT_EQ(o.response->body_bytes, 17U);
}

std::string encoded(const std::string& headers, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

TEST_F(HttpClientWallClock, UndoesEveryLayerOfCompression) {
  const std::string twice = gzip(gzip("hello"));
  for (const char* headers :
       {"Content-Encoding: gzip, gzip\r\n", "Content-Encoding: gzip\r\nContent-Encoding: x-gzip\r\n",
        "Content-Encoding: identity, GZIP,, gzip , identity\r\n"}) {
    SCOPED_TRACE(headers);
    const outcome o = answer_with(encoded(headers, twice));
    ASSERT_TRUE(o.response) << o.what;
    EXPECT_EQ(o.body, "hello");
    EXPECT_EQ(o.response->content_encoding, "");
  }
  const std::string many = "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n";
  expect_failure(answer_with(encoded(many, twice)), transport_failure::protocol, "more than 5 times");
}

TEST_F(HttpClientWallClock, SaysWhatABodyIsStillEncodedWith) {
  struct row {
    const char* headers;
    std::string body;
    const char* kept;
    const char* encoding;
  };
  const row rows[] = {
      {"Content-Encoding: br\r\n", "opaque", "opaque", "br"},
      {"Content-Encoding: br, gzip\r\n", gzip("opaque"), "opaque", "br"},
      {"Content-Encoding: gzip\r\nContent-Encoding: zstd\r\n", "opaque", "opaque", "gzip, zstd"}};
  for (const auto& r : rows) {
    SCOPED_TRACE(r.headers);
    const outcome o = answer_with(encoded(r.headers, r.body));
    ASSERT_TRUE(o.response) << o.what;
    EXPECT_EQ(o.body, r.kept);
    EXPECT_EQ(o.response->content_encoding, r.encoding);
  }
  const outcome none = answer_with("HTTP/1.1 304 Not Modified\r\nContent-Encoding: br\r\n\r\n");
  EXPECT_EQ(none.response.value().content_encoding, "");
}

// The end of the connection is the only sign of the body's end, and a compressed body is never empty.
TEST_F(HttpClientWallClock, TakesNoCompressedBodyThatIsCutAtItsFirstByteForAnEmptyOne) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
  const std::string whole = gzip("hello hello hello");
  EXPECT_EQ(answer_with(head + "\r\n" + whole).body, "hello hello hello");
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    expect_failure(answer_with(head + "\r\n" + whole.substr(0, cut)), transport_failure::reset, "cut short");
  EXPECT_TRUE(answer_with(head + "Content-Length: 0\r\n\r\n").response) << "it says so";
  EXPECT_TRUE(answer_with(head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").response);
}

TEST_F(HttpClientWallClock, LeavesCompressedWhatTheUserAskedFor) {
  const std::string compressed = gzip("hello");
  scripted_server server(loop, {{{gzipped(compressed)}}});
  http_client client(loop.get_executor(), direct());
  http_request request;
  request.url = server.url();
  request.headers = {{"accept-encoding", "gzip"}};
  const outcome o = fetch(loop, client, request);
  EXPECT_EQ(o.body, compressed);
  EXPECT_EQ(o.response.value().content_encoding, "gzip");
}

TEST_F(HttpClientWallClock, CallsBadGzipAProtocolError) {
  const std::string whole = gzip("hello hello hello");
  expect_failure(answer_with(gzipped(whole.substr(0, whole.size() - 3))), transport_failure::protocol,
                 "cut short");
  expect_failure(answer_with(gzipped("not gzip at all")), transport_failure::protocol, "corrupt");
}

TEST_F(HttpClientWallClock, StopsABodyAtItsLimit) {
  http_client_options o = direct();
  o.max_body = 1000;
  EXPECT_TRUE(answer_with(ok(std::string(1000, 'x')), ending::close, o).response);
  expect_failure(answer_with(ok(std::string(1001, 'x')), ending::close, o), transport_failure::body_too_large,
                 "1000 bytes");
  expect_failure(answer_with("HTTP/1.1 200 OK\r\n\r\n" + std::string(5000, 'x'), ending::hold, o),
                 transport_failure::body_too_large, "1000 bytes");
  const outcome bomb = answer_with(gzipped(gzip_of_filler(50'000'000)), ending::hold, o);
  expect_failure(bomb, transport_failure::body_too_large, "1000 bytes");
  EXPECT_LE(bomb.body.size(), 1000U);
  const std::string layers = gzip(gzip(gzip_of_filler(50'000'000)));
  expect_failure(answer_with(encoded("Content-Encoding: gzip, gzip, gzip\r\n", layers), ending::hold, o),
                 transport_failure::body_too_large, "1000 bytes");
}

TEST_F(HttpClientWallClock, ReportsASinkThatFails) {
  struct full_disk : body_sink {
    void begin(const http_response&) override {}
    void write(std::span<const char>) override { throw std::runtime_error("No space left on device"); }
  };
  scripted_server server(loop, {{{ok("x")}}});
  http_client client(loop.get_executor(), direct());
  http_request request;
  request.url = server.url();
  full_disk sink;
  try {
    static_cast<void>(run(loop, client.exchange(request, sink)));
    FAIL() << "no error";
  } catch (const transport_error& error) {
    EXPECT_EQ(error.kind(), transport_failure::sink);
    EXPECT_THAT(error.what(), HasSubstr("No space left on device"));
  }
  EXPECT_EQ(client.idle_connections(), 0U);
}

TEST_F(HttpClientWallClock, UsesAConnectionAgain) {
  scripted_server server(loop, {{{ok("1"), ok("2"), ok("3")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  const outcome first = fetch(loop, client, server.url());
  const outcome second = fetch(loop, client, server.url("/2"));
  const outcome third = fetch(loop, client, post(server.url("/3")));
  EXPECT_FALSE(first.response.value().reused_connection);
  EXPECT_TRUE(second.response.value().reused_connection);
  EXPECT_TRUE(third.response.value().reused_connection) << "the server keeps connections, as it has shown";
  EXPECT_EQ(third.body, "3");
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpClientWallClock, DropsAnIdleConnectionThatTheServerClosed) {
  scripted_server server(loop, {{{ok("1")}, ending::close}, {{ok("2")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  run_until(loop, [&] { return server.open() == 0; });
  const outcome second = fetch(loop, client, post(server.url()));
  ASSERT_TRUE(second.response) << second.what;
  EXPECT_FALSE(second.response->reused_connection);
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(HttpClientWallClock, SendsAnIdempotentRequestAgainWhenAnIdleConnectionDies) {
  for (const ending end : {ending::read_and_close, ending::read_and_reset}) {
    scripted_server server(loop, {{{ok("1")}, end}, {{ok("2")}, ending::hold}});
    http_client client(loop.get_executor(), direct());
    ASSERT_TRUE(fetch(loop, client, server.url()).response);
    const outcome second = fetch(loop, client, server.url("/again"));
    ASSERT_TRUE(second.response) << second.what;
    EXPECT_EQ(second.body, "2");
    EXPECT_FALSE(second.response->reused_connection);
    EXPECT_EQ(server.requests().size(), 3U);
  }
}

// One that says that it keeps connections is believed until it shows otherwise.
std::string kept_ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST_F(HttpClientWallClock, SendsAPostOnAFreshConnectionWhereTheServerMayBeClosingTheOther) {
  scripted_server server(loop, {{{ok("1")}, ending::read_and_close}, {{ok("2")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, post(server.url())).response);
  const outcome second = fetch(loop, client, post(server.url()));
  ASSERT_TRUE(second.response) << second.what;
  EXPECT_EQ(second.body, "2");
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClientWallClock, UsesNoConnectionTwiceWithoutKeepAlive) {
  const scripted_server::script one{{ok("x")}, ending::hold};
  scripted_server server(loop, {one, one});
  http_client_options o = direct();
  o.keep_alive = false;
  http_client client(loop.get_executor(), o);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(fetch(loop, client, server.url()).response.value().reused_connection);
    EXPECT_EQ(client.idle_connections(), 0U);
  }
  EXPECT_THAT(server.requests(), testing::Each(HasSubstr("\r\nConnection: close\r\n")));
}

TEST_F(HttpClientWallClock, DoesNotSendAPostTwice) {
  scripted_server server(loop, {{{kept_ok("1")}, ending::read_and_close}, {{ok("2")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  expect_failure(fetch(loop, client, post(server.url())), transport_failure::reset, "is unknown");
  EXPECT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpClientWallClock, SendsAPostWithAnIdempotencyKeyAgain) {
  scripted_server server(loop, {{{ok("1")}, ending::read_and_close}, {{ok("2")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  http_request request = post(server.url());
  request.headers = {{"Idempotency-Key", "17"}};
  EXPECT_TRUE(fetch(loop, client, request).response);
}

TEST_F(HttpClientWallClock, SendsOnceMoreOnly) {
  scripted_server server(loop,
                         {{{ok("1")}, ending::read_and_close}, {{}, ending::read_and_close}, {{ok("3")}}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  expect_failure(fetch(loop, client, server.url()), transport_failure::reset, "before an answer");
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(HttpClientWallClock, DoesNotSendAgainWhatWasPartlyAnswered) {
  scripted_server server(loop, {{{ok("1"), "HTTP/1.1 200 OK\r\n"}, ending::close}, {{ok("2")}}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  expect_failure(fetch(loop, client, server.url()), transport_failure::reset, "within its header");
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpClientWallClock, DoesNotSendAgainAfterAnInterimResponse) {
  scripted_server server(loop, {{{ok("1"), "HTTP/1.1 100 Continue\r\n\r\n"}, ending::close}, {{ok("2")}}});
  http_client client(loop.get_executor(), direct());
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  expect_failure(fetch(loop, client, server.url()), transport_failure::reset, "before an answer");
  EXPECT_EQ(server.connections(), 1U);
}

TEST_F(HttpClientWallClock, BoundsItsIdleConnections) {
  const scripted_server::script one{{ok("x")}, ending::hold};
  scripted_server a(loop, {one, one, one});
  scripted_server b(loop, {one, one, one});
  http_client_options o = direct();
  o.max_idle_per_origin = 2;
  o.max_idle = 3;
  http_client client(loop.get_executor(), o);
  std::vector<std::unique_ptr<cancellable_attempt>> attempts;
  http_request request;
  for (int i = 0; i < 3; ++i) {
    for (const auto* server : {&a, &b}) {
      request.url = server->url();
      attempts.push_back(std::make_unique<cancellable_attempt>(loop, client, request));
    }
  }
  run_until(loop, [&] { return std::ranges::all_of(attempts, [](const auto& t) { return t->done(); }); });
  EXPECT_EQ(client.idle_connections(), 3U);
  run_until(loop, [&] { return a.open() + b.open() == 3; });
  client.close();
  EXPECT_EQ(client.idle_connections(), 0U);
  run_until(loop, [&] { return a.open() + b.open() == 0; });
}

TEST_F(HttpClientWallClock, ClosesAnIdleConnectionToMakeRoomForAnother) {
  scripted_server a(loop, {{{ok("a")}, ending::hold}});
  scripted_server b(loop, {{{ok("b"), ok("c")}, ending::hold}});
  http_client_options o = direct();
  o.max_connections = 1;
  http_client client(loop.get_executor(), o);
  ASSERT_TRUE(fetch(loop, client, a.url()).response);
  EXPECT_EQ(a.open(), 1U);
  ASSERT_TRUE(fetch(loop, client, b.url()).response);
  run_until(loop, [&] { return a.open() == 0; });
  EXPECT_EQ(client.idle_connections(), 1U);
  // What can be used again needs no room.
  EXPECT_TRUE(fetch(loop, client, b.url()).response.value().reused_connection);
}

TEST_F(HttpClientWallClock, DropsConnectionsThatIdledTooLong) {
  scripted_server server(loop, {{{ok("1"), ok("2")}, ending::hold}, {{ok("3")}, ending::hold}});
  http_client_options o = direct();
  o.idle_lifetime = 0ns;
  http_client client(loop.get_executor(), o);
  ASSERT_TRUE(fetch(loop, client, server.url()).response);
  EXPECT_FALSE(fetch(loop, client, server.url()).response.value().reused_connection);
}

TEST_F(HttpClientWallClock, LetsTheLoopEndWhileConnectionsIdle) {
  asio::io_context server_loop;
  scripted_server server(server_loop, {{{ok("1")}, ending::hold}});
  std::thread thread([&] { server_loop.run_for(60s); });
  http_client_options o = direct();
  o.limits = {.first_byte = 1h, .stall = 1h, .bytes_per_second = 1};
  http_client client(loop.get_executor(), o);
  EXPECT_TRUE(fetch(loop, client, server.url()).response);
  loop.restart();
  loop.run();  // returns: an idle connection is no work
  EXPECT_EQ(client.idle_connections(), 1U);
  client.close();
  server_loop.stop();
  thread.join();
}

TEST_F(HttpClientWallClock, StreamsALargeUpload) {
  scripted_server server(loop, {{{ok("thanks")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  http_request request = post(server.url());
  request.body.assign(20'000'000, 'u');
  const outcome o = fetch(loop, client, request);
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.body, "thanks");
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_TRUE(server.requests()[0].ends_with(request.body));
}

TEST_F(HttpClientWallClock, NamesAHostThatRefuses) {
  std::string url;
  {
    const scripted_server gone(loop, {});
    url = gone.url();
  }
  http_client client(loop.get_executor(), direct());
  const outcome o = fetch(loop, client, url);
  expect_failure(o, transport_failure::connect, "Connection refused");
  EXPECT_THAT(o.what, HasSubstr(url.substr(7, url.size() - 8)));
}

TEST_F(HttpClientWallClock, NamesAHostThatIsNotFound) {
  http_client_options o = direct();
  o.lookup = [](const std::string&) { return lookup_result{{}, "Name or service not known"}; };
  http_client client(loop.get_executor(), o);
  expect_failure(fetch(loop, client, "http://nowhere.invalid/"), transport_failure::dns,
                 "looking up nowhere.invalid failed: Name or service not known");
  o.lookup = [](const std::string&) {
    return lookup_result{{}, "Temporary failure in name resolution", true};
  };
  http_client unlucky(loop.get_executor(), o);
  expect_failure(fetch(loop, unlucky, "http://nowhere.invalid/"), transport_failure::dns_temporary,
                 "looking up nowhere.invalid failed: Temporary failure in name resolution");
}

TEST_F(HttpClientWallClock, TriesTheNextAddress) {
  scripted_server server(loop, {{{ok("1")}, ending::hold}});
  http_client_options o = direct();
  o.lookup = [](const std::string&) {
    return lookup_result{{asio::ip::make_address("127.0.0.2"), asio::ip::make_address("127.0.0.1")}, {}};
  };
  http_client client(loop.get_executor(), o);
  const std::string authority = server.authority();
  const outcome result = fetch(loop, client, "http://two.test" + authority.substr(authority.find(':')) + "/");
  EXPECT_TRUE(result.response) << result.what;
}

// A listener whose queue is full: connecting to it neither succeeds nor fails.
class full_listener {
 public:
  explicit full_listener(asio::io_context& loop,
                         const tcp::endpoint& at = {asio::ip::address_v4::loopback(), 0})
      : acceptor_(loop) {
    acceptor_.open(at.protocol());
    acceptor_.bind(at);
    acceptor_.listen(0);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(loop);
      fillers_.back().async_connect(acceptor_.local_endpoint(), [](const boost::system::error_code&) {});
    }
    loop.poll();
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
  }

 private:
  tcp::acceptor acceptor_;
  std::vector<tcp::socket> fillers_;
};

// A dead first address cost half of the connect timeout for every connection.
TEST_F(HttpClientWallClock, WaitsForADeadAddressOnlyOnce) {
  const scripted_server::script one{{ok("x")}, ending::hold};
  scripted_server server(loop, {one, one, one});
  const std::string authority = server.authority();
  const auto port = static_cast<std::uint16_t>(std::stoul(authority.substr(authority.find(':') + 1)));
  const full_listener dead(loop, {asio::ip::make_address("127.0.0.2"), port});
  http_client_options o = direct();
  o.connect_timeout = 50s;
  o.keep_alive = false;
  o.lookup = [](const std::string&) {
    return lookup_result{{asio::ip::make_address("127.0.0.2"), asio::ip::make_address("127.0.0.1")}, {}};
  };
  http_client client(loop.get_executor(), o);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(fetch(loop, client, "http://two.test:" + std::to_string(port) + "/").response);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 250ms) << "it gave the first address no time";
  EXPECT_LT(took, 10s) << "it gave the dead address more than its share of " << 50 / 2 << " s";
}

TEST_F(HttpClientWallClock, ConnectsToTheAddressThatItIsGiven) {
  scripted_server server(loop, {{{ok("1")}, ending::hold}});
  const std::string port = server.authority().substr(server.authority().find(':') + 1);
  http_client_options o = direct();
  o.lookup = [](const std::string&) -> lookup_result { throw std::logic_error("looked up"); };
  o.addresses.hosts = {parse_given_host("given.test:" + port + ":127.0.0.1")};
  http_client client(loop.get_executor(), o);
  EXPECT_TRUE(fetch(loop, client, "http://given.test:" + port + "/").response);
  EXPECT_THAT(server.requests().at(0), HasSubstr("Host: given.test:" + port));
}

TEST_F(HttpClientWallClock, KeepsToAFamilyOfAddresses) {
  http_client_options o = direct();
  o.lookup = [](const std::string&) { return lookup_result{{asio::ip::make_address("127.0.0.1")}, {}}; };
  o.addresses.family = ip_family::v6;
  http_client client(loop.get_executor(), o);
  expect_failure(fetch(loop, client, "http://four.test/"), transport_failure::dns,
                 "four.test has no IPv6 address");
}

TEST_F(HttpClientWallClock, LimitsTheTimeOfALookup) {
  std::promise<void> release;
  http_client_options o = direct();
  o.connect_timeout = 50ms;
  o.lookup = [blocked = release.get_future().share()](const std::string&) {
    blocked.wait();
    return lookup_result{{}, "released"};
  };
  {
    http_client client(loop.get_executor(), o);
    expect_failure(fetch(loop, client, "http://slow.test/"), transport_failure::connect_timeout,
                   "looking up slow.test took longer than 50ms");
  }
  loop.restart();
  loop.run();  // the lookup that still blocks keeps nobody
  release.set_value();
}

TEST_F(HttpClientWallClock, LimitsTheTimeOfAConnect) {
  full_listener listener(loop);
  http_client_options o = direct();
  o.connect_timeout = 100ms;
  http_client client(loop.get_executor(), o);
  const outcome late = fetch(loop, client, listener.url());
  expect_failure(late, transport_failure::connect_timeout, "took longer than 100ms (--connect-timeout)");
  EXPECT_FALSE(late.reached.sent);
}

TEST_F(HttpClientWallClock, LimitsTheTimeUntilAnAnswerBegins) {
  scripted_server server(loop, {{{"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nX: "}, ending::hold}});
  http_client_options o = direct();
  o.limits.first_byte = 50ms;
  o.limits.stall = 1h;
  http_client client(loop.get_executor(), o);
  const outcome late = fetch(loop, client, server.url());
  expect_failure(late, transport_failure::first_byte_timeout, "no answer within 50ms (--first-byte-timeout)");
  EXPECT_TRUE(late.reached.sent);
  run_until(loop, [&] { return server.open() == 0; });
}

TEST_F(HttpClientWallClock, EndsABodyThatDoesNotGoOn) {
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
  http_client_options o = direct();
  o.limits.first_byte = 1h;
  o.limits.stall = 50ms;
  const outcome stalled = answer_with(half, ending::hold, o);
  expect_failure(stalled, transport_failure::stalled, "no byte of the body came for 50ms (--stall-timeout)");
  EXPECT_EQ(stalled.reached.status, 200U);
  EXPECT_EQ(stalled.reached.bytes, 4U);
  o.limits = {.bytes_per_second = 1000, .measured_over = 50ms};
  expect_failure(answer_with(half, ending::hold, o), transport_failure::stalled,
                 "less than 1000 bytes a second came over 50ms (--min-speed)");
}

TEST_F(HttpClientWallClock, EndsARequestThatDoesNotGoOut) {
  tcp::acceptor nobody_reads(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  http_client_options o = direct();
  o.limits.stall = 50ms;
  http_client client(loop.get_executor(), o);
  http_request request =
      post("http://127.0.0.1:" + std::to_string(nobody_reads.local_endpoint().port()) + "/");
  request.body.assign(20'000'000, 'u');
  const outcome stalled = fetch(loop, client, request);
  expect_failure(stalled, transport_failure::stalled, "nothing of the request went out for 50ms");
  EXPECT_TRUE(stalled.reached.sent);
}

TEST_F(HttpClientWallClock, KeepsToTheTimeThatItsCallerGivesAnAnswer) {
  scripted_server server(loop, {{{}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  const full_listener listener(loop);
  for (const auto& [url, kind] : {std::pair(server.url(), transport_failure::first_byte_timeout),
                                  std::pair(listener.url(), transport_failure::connect_timeout)}) {
    memory_sink sink;
    http_request request;
    request.url = url;
    try {
      static_cast<void>(run(loop, client.exchange(request, sink, 50ms)));
      ADD_FAILURE() << "it was answered";
    } catch (const transport_error& error) {
      EXPECT_EQ(to_string(error.kind()), to_string(kind)) << error.what();
    }
  }
}

TEST_F(HttpClientWallClock, EndsAtOnceWhenCancelled) {
  http_request request;
  std::promise<void> release;
  http_client_options o = direct();
  o.lookup = [blocked = release.get_future().share()](const std::string&) {
    blocked.wait();
    return lookup_result{{}, "released"};
  };
  full_listener listener(loop);
  scripted_server server(loop, {{{}, ending::hold},
                                {{"HTTP/1.1 200 OK\r\nContent-"}, ending::hold},
                                {{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}, ending::hold}});
  http_client client(loop.get_executor(), o);
  const std::string urls[] = {"http://slow.test/", listener.url(), server.url(), server.url(), server.url()};
  for (const auto& url : urls) {
    SCOPED_TRACE(url);
    request.url = url;
    cancellable_attempt running(loop, client, request);
    const auto expected = server.connections() + (url == server.url() ? 1 : 0);
    run_until(loop, [&] { return server.connections() == expected; });
    loop.restart();
    loop.run_for(20ms);  // as far as it gets
    ASSERT_FALSE(running.done());
    running.cancel();
    run_until(loop, [&] { return running.done(); });
    EXPECT_TRUE(running.result().cancelled) << running.result().what;
    EXPECT_FALSE(running.result().failure);
    EXPECT_EQ(client.idle_connections(), 0U);
    run_until(loop, [&] { return server.open() == 0; });
  }
  release.set_value();
}

TEST_F(HttpClientWallClock, EndsWithATimeoutThatExpires) {
  scripted_server server(loop, {{{}, ending::hold}, {{ok("in time")}, ending::hold}});
  http_client client(loop.get_executor(), direct());
  memory_sink sink;
  http_request request;
  request.url = server.url();
  EXPECT_THROW(run(loop, aio::run_with_timeout(client.exchange(request, sink), 50ms)),
               aio::async_timeout_error);
  run_until(loop, [&] { return server.open() == 0; });
  EXPECT_EQ(run(loop, aio::run_with_timeout(client.exchange(request, sink), 60s)).status, 200U);
  EXPECT_EQ(client.idle_connections(), 1U);
}

TEST_F(HttpClientWallClock, CanBeDestroyedWithTheLoopInTheMiddleOfAnything) {
  auto own_loop = std::make_unique<asio::io_context>();
  scripted_server server(loop, {{{}, ending::hold}});
  http_client client(own_loop->get_executor(), direct());
  http_request request;
  request.url = server.url();
  asio::co_spawn(*own_loop, attempt(client, request), asio::detached);
  own_loop->run_for(20ms);
  own_loop.reset();
  SUCCEED() << "no sanitizer complained";
}

TEST_F(HttpClientWallClock, AsksAProxyForTheWholeUrl) {
  scripted_server proxy(loop, {{{ok("a"), ok("b")}, ending::hold}});
  http_client_options o;
  o.proxy = "http://u:p@" + proxy.authority();
  http_client client(loop.get_executor(), o);
  ASSERT_TRUE(fetch(loop, client, "http://a.test/1").response);
  const outcome second = fetch(loop, client, "http://b.test:81/2");
  EXPECT_TRUE(second.response.value().reused_connection);
  ASSERT_EQ(proxy.requests().size(), 2U);
  EXPECT_THAT(proxy.requests()[0], testing::StartsWith("GET http://a.test/1 HTTP/1.1\r\nHost: a.test\r\n"));
  EXPECT_THAT(proxy.requests()[0], HasSubstr("Proxy-Authorization: Basic dTpw\r\n"));
  EXPECT_THAT(proxy.requests()[1],
              testing::StartsWith("GET http://b.test:81/2 HTTP/1.1\r\nHost: b.test:81\r\n"));
}

TEST_F(HttpClientWallClock, ReportsAProxyThatRefusesATunnel) {
  scripted_server proxy(loop, {{{"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"}},
                               {{"HTTP/1.1 502 Bad Gateway\r\n\r\n"}},
                               {{"no proxy\r\n"}},
                               {{""}},
                               {{"HTTP/1.1 200 OK\r\n\r\nsurprise"}, ending::hold},
                               {{}, ending::hold}});
  http_client_options o;
  o.proxy = proxy.authority();
  o.connect_timeout = 5s;
  http_client client(loop.get_executor(), o);
  const outcome refused = fetch(loop, client, "https://a.test/");
  expect_failure(refused, transport_failure::proxy,
                 "refused the tunnel with status 407 Proxy Authentication Required");
  EXPECT_FALSE(refused.reached.sent);
  EXPECT_EQ(refused.reached.status, 0U) << "it is the proxy's, not the server's";
  EXPECT_THAT(proxy.requests().at(0),
              testing::StartsWith("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n"));
  expect_failure(fetch(loop, client, "https://a.test/"), transport_failure::connect, "502 Bad Gateway");
  expect_failure(fetch(loop, client, "https://a.test/"), transport_failure::protocol, "malformed answer");
  expect_failure(fetch(loop, client, "https://a.test/"), transport_failure::reset, "ended the connection");
  expect_failure(fetch(loop, client, "https://a.test/"), transport_failure::protocol, "malformed answer");
  http_client_options hasty = o;
  hasty.connect_timeout = 50ms;
  http_client hasty_client(loop.get_executor(), hasty);
  expect_failure(fetch(loop, hasty_client, "https://a.test/"), transport_failure::connect_timeout,
                 "the tunnel through");
}

TEST_F(HttpClientWallClock, ChecksItsOptions) {
  http_client_options no_time = direct();
  no_time.connect_timeout = 0ns;
  EXPECT_THROW(http_client(loop.get_executor(), no_time), std::invalid_argument);
  http_client_options no_file = direct();
  no_file.cacert = "/nonexistent/ca.pem";
  try {
    http_client client(loop.get_executor(), no_file);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/ca.pem"));
  }
}

}  // namespace
}  // namespace dspu::app::test
