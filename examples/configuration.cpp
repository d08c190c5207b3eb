// Policies from a JSON file, and the file read again while calls go on, in simulated time.
#include <dspu/aio/lint.hpp>
#include <dspu/config/configuration.hpp>
#include <dspu/testing/script.hpp>
#include <dspu/testing/simulator.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using configuration = dspu::config::basic_configuration<dspu::testing::manual_clock>;

// [configuration]
constexpr std::string_view before = R"({
  "policies":  {"backend": {"circuit_breaker": {"failure_threshold": 5, "timeout": "30s"}},
                "api":     {"rate_limiter": "1/s,burst=2"}},
  "pipelines": {"catalog": ["timeout 60s", {"retry": {"max_attempts": 3, "jitter": "none"}}, "backend", "api"]}
})";
constexpr std::string_view after = R"({
  "policies":  {"backend": {"circuit_breaker": {"failure_threshold": 5, "timeout": "30s"}},
                "api":     {"rate_limiter": "10/s,burst=2"}},
  "pipelines": {"catalog": ["timeout 60s", "backend", "api", "timeout 2s"]}
})";

int main() {
  dspu::testing::simulator sim;
  configuration config(before);  // or configuration::from_file("resilience.json")
  const auto catalog = config.live("catalog");
  std::printf("%s\n", catalog.describe().c_str());

  dspu::testing::script service;
  service.returns(200);
  const auto fetch = [&] { return service(); };
  const auto ten_calls = [&] {
    const auto began = sim.elapsed();
    for (int i = 0; i < 10; ++i) sim.run(catalog.call(fetch));
    std::printf("ten calls: %.1f s\n", std::chrono::duration<double>(sim.elapsed() - began).count());
  };
  ten_calls();

  for (const auto& c : config.update(after)) std::printf("changed: %s\n", c.policy.c_str());
  std::printf("%s\n", catalog.describe().c_str());
  ten_calls();

  try {
    config.update(R"({"pipelines": {"catalog": ["timeout 60", {"retry": {"max_atempts": 3}}]}})");
  } catch (const dspu::config::config_error& e) {
    std::printf("%s\n", e.what());  // and nothing has changed
  }
  for (const auto& w : dspu::aio::lint(catalog)) std::printf("%s\n", to_string(w).c_str());
}
// [configuration]
