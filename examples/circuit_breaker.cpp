// A breaker that opens after three failures, refuses for 30 s, then lets probes through until it closes. In simulated time.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/testing/simulator.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstdio>
#include <stdexcept>

namespace asio = boost::asio;
using namespace dspu::aio;
using namespace std::chrono_literals;
using manual_breaker = basic_circuit_breaker<dspu::testing::manual_clock>;

bool service_is_down = true;

asio::awaitable<int> service() {
  if (service_is_down) throw std::runtime_error("connection refused");
  co_return 200;
}

const char* name(circuit_state s) {
  return s == circuit_state::closed ? "closed" : s == circuit_state::open ? "open" : "half-open";
}

asio::awaitable<void> call(manual_breaker& guard) {
  try {
    std::printf("  %d\n", co_await guard.call(service));
  } catch (const circuit_breaker_error&) {
    std::puts("  refused, the service was not called");
  } catch (const std::exception& e) {
    std::printf("  failed: %s\n", e.what());
  }
}

int main() {
  dspu::testing::simulator sim;
  manual_breaker guard{{.failure_threshold = 3, .success_threshold = 2, .timeout = 30s,
                        .on_state_change = [](circuit_state from, circuit_state to) {
                   std::printf("%s -> %s\n", name(from), name(to));
                 }}};
  for (int i = 0; i < 4; ++i) sim.run(call(guard));

  service_is_down = false;
  sim.run_for(30s);
  for (int i = 0; i < 3; ++i) sim.run(call(guard));
}
