// How to test your own code without waiting: an hour of outage, simulated in milliseconds.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/testing/script.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

using namespace std::chrono_literals;

// [virtual-time]
int main() {
  dspu::testing::simulator sim;
  dspu::testing::script service;  // fails for the first ten calls, each after 2 s
  for (int i = 0; i < 10; ++i) service.fails(2s);
  service.returns(200, 1s);

  const dspu::aio::basic_retry<dspu::testing::manual_clock> again{
      {.max_attempts = 20, .max_delay = 10min, .jitter = dspu::aio::jitter::none}};
  const int status = sim.run(again.call([&] { return service(); }));

  std::printf("%d after %zu calls and %lld simulated minutes\n", status, service.calls(),
              static_cast<long long>(sim.elapsed() / 1min));
}
// [virtual-time]
