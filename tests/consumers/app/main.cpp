// A user's program: something of each of dspu::core, dspu::aio, dspu::config and dspu::testing.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/gather.hpp>
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/config/configuration.hpp>
#include <dspu/core/backoff.hpp>
#include <dspu/testing/script.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

using namespace std::chrono_literals;

bool runs_on_a_clock_of_its_own();

int main() {
  dspu::testing::simulator sim;
  dspu::testing::script op;
  op.fails(1s).returns(42, 1s);
  const dspu::aio::basic_retry<dspu::testing::manual_clock> again{{.jitter = dspu::aio::jitter::none}};
  const int answer = sim.run(again.call([&] { return op(); }));

  dspu::aio::rate_limiter limiter{{.rate = 10}};
  dspu::aio::circuit_breaker breaker;
  const bool admitted = limiter.try_acquire() && breaker.try_permit();
  const dspu::config::configuration config(R"({"pipelines": {"p": ["retry 5"]}})");
  const bool configured = config.pipelines().size() == 1;
  const auto pause = dspu::core::backoff({}).ceiling(3);
  std::printf("%d after %lld s, admitted %d, third pause %lld s\n", answer,
              static_cast<long long>(sim.elapsed() / 1s), admitted, static_cast<long long>(pause / 1s));
  return runs_on_a_clock_of_its_own() && answer == 42 && sim.elapsed() == 3s && admitted && configured && pause == 4s ? 0 : 1;
}
