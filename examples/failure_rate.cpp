// A breaker that opens when half of the calls fail, and stays open longer each time its probes find nothing mended.
// Two minutes, in virtual time.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>
#include <stdexcept>

using namespace dspu::aio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using dspu::testing::simulator;

const char* name(circuit_state s) {
  switch (s) {
    case circuit_state::closed: return "closed";
    case circuit_state::open: return "open";
    case circuit_state::half_open: return "half-open";
    case circuit_state::isolated: return "isolated";
  }
  return "?";
}

int main() {
  simulator sim;
  const auto seconds = [&] { return static_cast<int>(sim.elapsed() / 1s); };
  const auto tell = [&](circuit_state from, circuit_state to) {
    std::printf("%3d s  %s -> %s\n", seconds(), name(from), name(to));
  };
  // Every second call fails from 10 s on; from 30 s to 90 s all do.
  int calls = 0;
  const auto service = [&]() -> awaitable<void> {
    ++calls;
    const bool down = seconds() >= 30 && seconds() < 90;
    if (down || (seconds() >= 10 && seconds() < 30 && calls % 2 == 0)) throw std::runtime_error("500");
    co_return;
  };

  // [failure-rate]
  basic_circuit_breaker<manual_clock> breaker{{
      .failure_threshold = 0,  // the rate alone
      .success_threshold = 3,
      .timeout = 5s,
      .window = {.time = 20s, .min_calls = 10, .failure_rate = 0.4},
      .timeout_multiplier = 2,  // 5 s, 10 s, 20 s
      .max_timeout = 20s,
      .half_open_ramp = true,
      .on_state_change = tell}};
  // [failure-rate]

  for (int second = 0; second < 120; ++second) {
    try {
      sim.run(breaker.call(service));
    } catch (const std::exception&) {  // refused, or failed
    }
    sim.run_for(1s);
  }
  const auto seen = breaker.statistics();
  std::printf("%d calls made, %d refused, opened %d times\n", calls, static_cast<int>(seen.refused),
              static_cast<int>(seen.opened));
}
