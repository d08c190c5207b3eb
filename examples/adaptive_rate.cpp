// A server that admits 50 requests a second, and 20 more at once, and says so to nobody. Forty clients, who know nothing
// of that, get 600 answers out of it.
#include <dspu/aio/adaptive_rate.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using dspu::testing::manual_timer;

int refused = 0;

asio::awaitable<int> ask_the_server() {
  static double bucket = 21;
  static auto last = manual_clock::now();
  const auto now = manual_clock::now();
  bucket = std::min(21.0, bucket + 50 * std::chrono::duration<double>(now - last).count());
  last = now;
  const bool admitted = bucket >= 1;
  admitted ? bucket -= 1 : refused += 1;
  manual_timer timer(co_await asio::this_coro::executor, 5ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return admitted ? 200 : 429;
}

using pace = dspu::aio::basic_adaptive_rate<manual_clock>;

asio::awaitable<void> client(pace& server, int& left) {
  while (left > 0) {
    --left;
    const int status = co_await server.call(ask_the_server);
    if (status == 429) ++left;
  }
}

int main() {
  dspu::testing::simulator sim;
  pace server{{.classify = [](const dspu::aio::outcome& o) {
    const int* const status = o.get_if<int>();
    return status && *status == 429 ? dspu::aio::verdict::failure : dspu::aio::verdict::success;
  }}};
  int left = 600;
  for (int i = 0; i < 40; ++i) sim.spawn(client(server, left));
  sim.run();
  std::printf("ideal: 11.6 s; within 13 s: %s\n", sim.elapsed() < 13s ? "yes" : "no");
  std::printf("refused, at most one in fifty: %s\n", refused <= 12 ? "yes" : "no");
}
