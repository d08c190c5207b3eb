// Policies in a row, the outermost first: ten seconds in all, five attempts of two seconds each, behind a breaker and a
// limiter. In simulated time.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/lint.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/aio/timeout.hpp>
#include <dspu/testing/script.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

namespace aio = dspu::aio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using timeout = aio::basic_timeout<manual_clock>;
using retry = aio::basic_retry<manual_clock>;

int main() {
  dspu::testing::simulator sim;
  dspu::testing::script service;
  service.hangs().fails(100ms).returns(200, 300ms);

  aio::basic_circuit_breaker<manual_clock> breaker{{.failure_threshold = 5}};
  aio::basic_rate_limiter<manual_clock> limiter{{.rate = 10}};
  const retry again{{.max_attempts = 5, .base_delay = 500ms, .max_delay = 1s, .jitter = aio::jitter::none}};
  const auto resilient = timeout(20s) | again | breaker | limiter | timeout(2s);
  std::printf("%s\n", resilient.describe().c_str());

  const auto ask = [&](const aio::call_context& call) {
    std::printf("attempt %lld at %lld ms, with %lld ms left\n", static_cast<long long>(call.attempt),
                static_cast<long long>(sim.elapsed() / 1ms), static_cast<long long>(call.remaining() / 1ms));
    return service();
  };
  const int status = sim.run(resilient.call(ask));
  std::printf("%d at %lld ms\n", status, static_cast<long long>(sim.elapsed() / 1ms));

  // Two seconds of pauses do not fit into one.
  for (const auto& warning : aio::lint(timeout(1s) | again)) std::printf("%s\n", to_string(warning).c_str());
}
