// A limiter of 100 requests a second with room for 5 at once: the first five go at once, the others in turn. In simulated
// time.
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;

dspu::testing::simulator sim;
dspu::aio::basic_rate_limiter<dspu::testing::manual_clock> limiter{{.rate = 100, .capacity = 5.0}};

asio::awaitable<void> request(int id) {
  const bool at_once = limiter.try_acquire();
  if (!at_once) co_await limiter.acquire();
  std::printf("request %d goes %s, at %lld ms\n", id, at_once ? "at once" : "in its turn",
              static_cast<long long>(sim.elapsed() / 1ms));
}

int main() {
  for (int id = 1; id <= 8; ++id) sim.spawn(request(id));
  sim.run();
}
