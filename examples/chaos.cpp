// Whether the retries are enough, before the server fails in earnest: one call in five fails, and all take
// their time.
#include <dspu/aio/chaos.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;

asio::awaitable<int> ask_the_service() { co_return 200; }

int main() {
  dspu::testing::simulator sim;
  dspu::aio::basic_chaos<manual_clock> storm{
      {.fault_rate = 0.2, .latency_rate = 1, .latency_min = 10ms, .latency_max = 90ms, .seed = 1}};
  for (int attempts = 1; attempts <= 5; ++attempts) {
    const dspu::aio::basic_retry<manual_clock> again{{.max_attempts = attempts, .base_delay = 100ms}};
    const auto call = (again | storm)(ask_the_service);
    int failed = 0;
    for (int i = 0; i < 1000; ++i) {
      try {
        sim.run(call());
      } catch (const dspu::aio::injected_fault&) {
        ++failed;
      }
    }
    std::printf("%d attempt%s: %d of 1000 calls fail\n", attempts, attempts == 1 ? "" : "s", failed);
  }
}
