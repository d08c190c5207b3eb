// A breaker for each host and a limiter for each tenant, in simulated time: what one host does is no trouble
// of the others.
#include <dspu/aio/circuit_breaker.hpp>
#include <dspu/aio/keyed.hpp>
#include <dspu/aio/pipeline.hpp>
#include <dspu/aio/rate_limiter.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using dspu::testing::manual_clock;
using host_breaker = dspu::aio::basic_circuit_breaker<manual_clock>;
using tenant_limiter = dspu::aio::basic_rate_limiter<manual_clock>;

struct request {
  std::string tenant, host;
};

asio::awaitable<void> deliver(request r) {
  if (r.host == "down.example") throw std::runtime_error("connection refused");
  co_return;
}

template <class Pipeline>
void call(dspu::testing::simulator& sim, const Pipeline& pipeline, request r) {
  const char* ended = "ok";
  try {
    sim.run(pipeline.call(deliver, r));
  } catch (const dspu::aio::circuit_breaker_error&) {
    ended = "the breaker is open";
  } catch (const std::runtime_error&) {
    ended = "failed";
  }
  std::printf("%4.1f s  %s to %s: %s\n", std::chrono::duration<double>(sim.elapsed()).count(),
              r.tenant.c_str(), r.host.c_str(), ended);
}

// [keyed]
int main() {
  dspu::testing::simulator sim;
  dspu::aio::keyed<host_breaker> hosts{{.failure_threshold = 2}, {.max_keys = 10'000}};
  dspu::aio::keyed<tenant_limiter> tenants{[](std::string_view tenant) {
    return dspu::aio::rate_limiter_options{.rate = tenant == "big" ? 100.0 : 0.5, .capacity = 1.0};
  }};
  const auto host_of = [](const request& r) -> const std::string& { return r.host; };
  const auto tenant_of = [](const request& r) -> const std::string& { return r.tenant; };
  const auto resilient = hosts.by(host_of) | tenants.by(tenant_of);

  for (int i = 0; i < 3; ++i) call(sim, resilient, {"big", "down.example"});
  for (int i = 0; i < 2; ++i) call(sim, resilient, {"big", "up.example"});
  for (int i = 0; i < 2; ++i) call(sim, resilient, {"small", "up.example"});

  hosts.get("down.example")->reset();
  tenants.reconfigure({.rate = 1000});  // those that are there, and those to come
  call(sim, resilient, {"small", "down.example"});
  std::printf("%zu hosts, %zu tenants\n", hosts.size(), tenants.size());
}
// [keyed]
