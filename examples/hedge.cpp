// One call in a hundred takes a second. A second attempt beside those that are late makes them quick.
#include <dspu/aio/hedge.hpp>
#include <dspu/core/random.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;

dspu::core::random_source dice{1};

asio::awaitable<int> ask_the_service() {
  const bool unlucky = dice.unit() < 0.01;
  dspu::testing::manual_timer timer(co_await asio::this_coro::executor, unlucky ? 1000ms : 10ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 200;
}

template <class Call>
void measure(const char* name, dspu::testing::simulator& sim, Call call) {
  std::vector<manual_clock::duration> took;
  for (int i = 0; i < 10'000; ++i) {
    const auto began = sim.now();
    sim.run(call());
    took.push_back(sim.now() - began);
  }
  std::sort(took.begin(), took.end());
  std::printf("%s: 99.5 %% of the calls within %lld ms\n", name, static_cast<long long>(took[9949] / 1ms));
}

int main() {
  dspu::testing::simulator sim;
  dspu::aio::basic_hedge<manual_clock> quick{{.delay = 100ms, .quantile = 0.95}};

  measure("plain ", sim, ask_the_service);
  measure("hedged", sim, quick(ask_the_service));
  std::printf("for 1 %% more calls: %s\n", quick.hedges() < 200 ? "yes" : "no");
}
