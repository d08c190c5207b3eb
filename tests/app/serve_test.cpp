// The unreliable server, seen by the client.
#include "dspu/serve.hpp"

#include "net_support.hpp"

#include <gmock/gmock.h>

#include <thread>

namespace dspu::app::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Pair;

class UnreliableServerWallClock : public testing::Test {
 protected:
  outcome get(const serve_options& o, const std::string& path = "/x", const char* method = "GET") {
    unreliable_server server(loop.get_executor(), o);
    http_client client(loop.get_executor(), direct());
    http_request request;
    request.method = method;
    request.url = server.url() + path;
    outcome result = fetch(loop, client, request);
    counted = server.statistics();
    return result;
  }

  void expect_kind(const serve_options& o, answer_kind kind, transport_failure failure) {
    const outcome result = get(o);
    ASSERT_TRUE(result.failure) << "was answered";
    EXPECT_EQ(to_string(*result.failure), to_string(failure)) << result.what;
    EXPECT_EQ(counted.of(kind), 1U);
  }

  asio::io_context loop;
  serve_statistics counted;
};

TEST_F(UnreliableServerWallClock, AnswersWhenNothingIsWrong) {
  const outcome o = get({});
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(o.response->status, 200U);
  EXPECT_EQ(o.body, "you asked for /x\n");
  EXPECT_EQ(counted.requests, 1U);
  EXPECT_EQ(counted.of(answer_kind::ok), 1U);
  EXPECT_THAT(counted.by_path, testing::ElementsAre(Pair("/x", 1U)));
  EXPECT_THAT(counted.by_status, testing::ElementsAre(Pair(200U, 1U)));
}

TEST_F(UnreliableServerWallClock, FailsInEveryWayItIsToldTo) {
  serve_options o;
  o.reset_rate = 1;
  unreliable_server both(loop.get_executor(), o);
  http_client client(loop.get_executor(), direct());
  for (int i = 0; i < 20; ++i) {
    const outcome result = fetch(loop, client, both.url());
    ASSERT_TRUE(result.failure);
    EXPECT_EQ(to_string(*result.failure), "reset") << result.what;
  }
  EXPECT_EQ(
      both.statistics().of(answer_kind::reset_in_header) + both.statistics().of(answer_kind::reset_in_body),
      20U);
  EXPECT_GT(both.statistics().of(answer_kind::reset_in_header), 0U);
  EXPECT_GT(both.statistics().of(answer_kind::reset_in_body), 0U);

  serve_options truncate;
  truncate.truncate_rate = 1;
  expect_kind(truncate, answer_kind::truncated, transport_failure::reset);
}

TEST_F(UnreliableServerWallClock, AnswersWithFailureStatuses) {
  serve_options o;
  o.failure_rate = 1;
  o.failure_statuses = {500};
  EXPECT_EQ(get(o).response.value().status, 500U);
  EXPECT_EQ(counted.of(answer_kind::failure), 1U);
}

TEST_F(UnreliableServerWallClock, SendsMoreThanItAnnounced) {
  serve_options o;
  o.wrong_length_rate = 1;
  unreliable_server server(loop.get_executor(), o);
  http_client client(loop.get_executor(), direct());
  for (int i = 0; i < 3; ++i) {
    const outcome result = fetch(loop, client, server.url() + "/abc");
    ASSERT_TRUE(result.response) << result.what;
    EXPECT_EQ(result.body, "you asked");
    EXPECT_FALSE(result.response->reused_connection);
  }
}

TEST_F(UnreliableServerWallClock, SendsABodyWithoutEnd) {
  serve_options o;
  o.endless_rate = 1;
  unreliable_server server(loop.get_executor(), o);
  http_client_options limited = direct();
  limited.max_body = 50'000;
  http_client client(loop.get_executor(), limited);
  const outcome result = fetch(loop, client, server.url());
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(to_string(*result.failure), "body_too_large") << result.what;
  run_until(loop, [&] { return server.statistics().open_connections == 0; });
}

TEST_F(UnreliableServerWallClock, DripsABody) {
  serve_options o;
  o.slow_rate = 1;
  o.slow_duration = 60ms;
  const auto start = std::chrono::steady_clock::now();
  const outcome result = get(o);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
  EXPECT_EQ(result.body, "you asked for /x\n");
  EXPECT_EQ(counted.of(answer_kind::slow), 1U);
}

TEST_F(UnreliableServerWallClock, StaysSilentUntilThePeerLeaves) {
  serve_options o;
  o.silent_rate = 1;
  unreliable_server server(loop.get_executor(), o);
  http_client client(loop.get_executor(), direct());
  http_request request;
  request.url = server.url();
  cancellable_attempt running(loop, client, request);
  run_until(loop, [&] { return server.statistics().of(answer_kind::silent) == 1; });
  EXPECT_FALSE(running.done());
  running.cancel();
  run_until(loop, [&] { return running.done() && server.statistics().open_connections == 0; });
}

TEST_F(UnreliableServerWallClock, GivesEveryRequestTheSameFateForTheSameSeed) {
  serve_options o;
  o.failure_rate = 0.3;
  o.reset_rate = 0.2;
  o.truncate_rate = 0.1;
  o.seed = 42;
  const auto history = [&] {
    unreliable_server server(loop.get_executor(), o);
    http_client client(loop.get_executor(), direct());
    std::string result;
    http_request request;
    request.method = "POST";  // never sent twice
    request.url = server.url();
    for (int i = 0; i < 60; ++i) {
      const outcome one = fetch(loop, client, request);
      result += one.response ? std::to_string(one.response->status) : std::string(to_string(*one.failure));
      result += ' ';
    }
    return result;
  };
  const std::string first = history();
  EXPECT_EQ(first, history());
  EXPECT_THAT(first, HasSubstr("503"));
  EXPECT_THAT(first, HasSubstr("reset"));
  o.seed = 43;
  EXPECT_NE(first, history());
}

TEST_F(UnreliableServerWallClock, LimitsRequestsAndSaysWhenToComeBack) {
  serve_options o;
  o.limit = request_limit{.amount = 2, .per = 1h, .burst = 3};
  unreliable_server server(loop.get_executor(), o);
  http_client client(loop.get_executor(), direct());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fetch(loop, client, server.url()).response.value().status, 200U);
  const outcome refused = fetch(loop, client, server.url());
  EXPECT_EQ(refused.response.value().status, 429U);
  const int seconds = std::stoi(std::string(find_header(refused.response->headers, "Retry-After")));
  EXPECT_GT(seconds, 1700);
  EXPECT_LE(seconds, 1800);
  EXPECT_EQ(server.statistics().of(answer_kind::limited), 1U);

  o.limit->burst = 1;
  o.retry_after_as_date = true;
  unreliable_server dated(loop.get_executor(), o);
  EXPECT_EQ(fetch(loop, client, dated.url()).response.value().status, 200U);
  const outcome later = fetch(loop, client, dated.url());
  EXPECT_THAT(std::string(find_header(later.response.value().headers, "Retry-After")),
              testing::EndsWith(" GMT"));
}

TEST_F(UnreliableServerWallClock, HasOutages) {
  serve_options o;
  o.outages = {{0s, 1h, outage_window::mode::unavailable}};
  EXPECT_EQ(get(o).response.value().status, 503U);
  EXPECT_EQ(counted.of(answer_kind::unavailable), 1U);
  o.outages = {{0s, 1h, outage_window::mode::refuse}};
  const outcome refused = get(o);
  ASSERT_TRUE(refused.failure);
  EXPECT_TRUE(*refused.failure == transport_failure::reset || *refused.failure == transport_failure::connect);
  EXPECT_EQ(counted.of(answer_kind::refused), 1U);
  EXPECT_EQ(counted.requests, 0U);
}

TEST_F(UnreliableServerWallClock, EndsConnectionsWithAndWithoutAWord) {
  for (const bool announce : {true, false}) {
    serve_options o;
    o.keep_alive_requests = 2;
    o.announce_close = announce;
    unreliable_server server(loop.get_executor(), o);
    http_client client(loop.get_executor(), direct());
    for (int i = 0; i < 6; ++i) EXPECT_TRUE(fetch(loop, client, server.url()).response);
    EXPECT_EQ(server.statistics().connections, 3U);
  }
}

TEST_F(UnreliableServerWallClock, AnswersHeadWithoutABody) {
  const outcome o = get({}, "/bytes/1000", "HEAD");
  ASSERT_TRUE(o.response) << o.what;
  EXPECT_EQ(find_header(o.response->headers, "Content-Length"), "1000");
  EXPECT_EQ(o.response->body_bytes, 0U);
}

TEST_F(UnreliableServerWallClock, SendsLargeBodies) {
  const outcome plain = get({}, "/bytes/3000000");
  EXPECT_EQ(plain.body.size(), 3'000'000U) << plain.what;
  const outcome compressed = get({}, "/gzip/3000000");
  EXPECT_EQ(compressed.body, plain.body) << compressed.what;
}

TEST_F(UnreliableServerWallClock, DropsWhoeverSpeaksNoHttp) {
  unreliable_server server(loop.get_executor(), {});
  tcp::socket socket(loop);
  socket.connect({asio::ip::address_v4::loopback(), server.port()});
  asio::write(socket, asio::buffer(std::string("nonsense\r\n\r\n")));
  run_until(loop,
            [&] { return server.statistics().malformed == 1 && server.statistics().open_connections == 0; });
}

TEST_F(UnreliableServerWallClock, LetsTheLoopEndWhenStopped) {
  serve_options o;
  o.silent_rate = 1;
  unreliable_server server(loop.get_executor(), o);
  http_client client(loop.get_executor(), direct());
  http_request request;
  request.url = server.url();
  cancellable_attempt running(loop, client, request);
  run_until(loop, [&] { return server.statistics().of(answer_kind::silent) == 1; });
  server.stop();
  server.stop();
  loop.restart();
  loop.run();
  EXPECT_TRUE(running.done());
  EXPECT_EQ(server.statistics().open_connections, 0U);
}

TEST_F(UnreliableServerWallClock, NamesAnAddressThatIsTaken) {
  unreliable_server first(loop.get_executor(), {});
  serve_options o;
  o.port = first.port();
  try {
    unreliable_server second(loop.get_executor(), o);
    FAIL() << "both listen";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("127.0.0.1:" + std::to_string(o.port)));
  }
}

TEST_F(UnreliableServerWallClock, CountsOnAThreadOfItsOwn) {
  asio::io_context server_loop(1);
  serve_options o;
  o.failure_rate = 0.1;
  unreliable_server server(server_loop.get_executor(), o);
  std::thread thread([&] { server_loop.run(); });
  http_client client(loop.get_executor(), direct());
  std::vector<std::unique_ptr<cancellable_attempt>> attempts;
  http_request request;
  for (int i = 0; i < 200; ++i) {
    request.url = server.url() + "/" + std::to_string(i % 10);
    attempts.push_back(std::make_unique<cancellable_attempt>(loop, client, request));
  }
  run_until(loop, [&] { return std::ranges::all_of(attempts, [](const auto& a) { return a->done(); }); });
  const serve_statistics s = server.statistics();
  server.stop();
  thread.join();
  EXPECT_EQ(s.requests, 200U);
  EXPECT_EQ(s.of(answer_kind::ok) + s.of(answer_kind::failure), 200U);
  EXPECT_GT(s.of(answer_kind::failure), 0U);
  EXPECT_EQ(s.by_path.size(), 10U);
  EXPECT_GE(s.max_in_one_second, 1U);
  EXPECT_LE(s.max_in_one_second, 200U);
}

TEST(ServeRecorder, CountsTheFullestSecond) {
  serve_recorder record;
  const serve_recorder::clock::time_point start{};
  for (const auto at : {0ms, 100ms, 999ms, 1000ms, 1099ms, 1100ms, 5000ms}) record.request("/", start + at);
  EXPECT_EQ(record.snapshot().max_in_one_second, 4U) << "from 100 ms to 1099 ms";
}

TEST(ServeRecorder, BoundsItsPaths) {
  serve_recorder record;
  for (std::size_t i = 0; i < serve_statistics::max_paths + 5; ++i)
    record.request(std::to_string(i), {});
  const auto by_path = record.snapshot().by_path;
  EXPECT_EQ(by_path.size(), serve_statistics::max_paths + 1);
  EXPECT_EQ(by_path.at("(other)"), 5U);
}

}  // namespace
}  // namespace dspu::app::test
