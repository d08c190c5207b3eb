// A server that serves eight calls at once. Forty clients, who know nothing of that, find it out.
#include <dspu/aio/adaptive_concurrency.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using dspu::testing::manual_timer;

int in_the_server = 0;

asio::awaitable<void> call_the_server() {
  ++in_the_server;
  const auto takes =
      std::chrono::duration_cast<manual_clock::duration>(100ms * std::max(1.0, in_the_server / 8.0));
  manual_timer timer(co_await asio::this_coro::executor, takes);
  co_await timer.async_wait(asio::use_awaitable);
  --in_the_server;
}

using limit = dspu::aio::basic_adaptive_concurrency<manual_clock>;

asio::awaitable<void> client(limit& width) {
  for (int i = 0; i < 100; ++i) co_await width.call(call_the_server);
}

int main() {
  dspu::testing::simulator sim;
  limit width{{.algorithm = dspu::aio::limit_algorithm::vegas, .initial = 40, .max_queue = 40, .seed = 1}};
  std::printf("at first %lld at once\n", static_cast<long long>(width.limit()));
  for (int i = 0; i < 40; ++i) sim.spawn(client(width));
  sim.run();
  std::printf("in the end between 8 and 16: %s\n", width.limit() >= 8 && width.limit() <= 16 ? "yes" : "no");
}
