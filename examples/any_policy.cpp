// A pipeline put together at run time, and what is wrong with it.
#include <dspu/aio/any_policy.hpp>
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/lint.hpp>
#include <dspu/aio/retry.hpp>
#include <dspu/aio/timeout.hpp>
#include <dspu/testing/script.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using dspu::testing::manual_clock;

int main() {
  dspu::testing::simulator sim;
  dspu::aio::basic_circuit_breaker<manual_clock> breaker;
  dspu::testing::script service;
  service.fails(1s).returns(200, 1s);

  for (const bool guarded : {false, true}) {
    dspu::aio::any_policy policy = dspu::aio::basic_retry<manual_clock>{{.jitter = dspu::aio::jitter::none}};
    if (guarded) policy = dspu::aio::basic_timeout<manual_clock>(3s) | policy | breaker;
    std::printf("%s\n", policy.describe().c_str());
    for (const auto& w : lint(policy)) std::printf("  %s\n", to_string(w).c_str());
    const int status = sim.run(policy.call([&] { return service(); }));
    std::printf("  %d at %lld s\n", status, static_cast<long long>(sim.elapsed() / 1s));
  }
}
