// Runs with the program's defaults against models of servers that limit their clients.
#include "app/engine_run.hpp"
#include "dspu/options.hpp"
#include "support/server_conditions.hpp"
#include "support/server_models.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

namespace {

using namespace dspu::app;
using namespace dspu::app::testing;
using namespace dspu::test;
using namespace std::chrono_literals;
using ::testing::IsEmpty;

header_list headers_of(const core::limit_facts& facts) {
  const auto seconds = [](core::duration d) {
    return std::to_string(static_cast<double>(d.count()) / 1e9);
  };
  header_list headers;
  if (facts.retry_after) headers.emplace_back("Retry-After", seconds(*facts.retry_after));
  if (facts.limit) headers.emplace_back("RateLimit-Limit", std::to_string(*facts.limit));
  if (facts.remaining) headers.emplace_back("RateLimit-Remaining", std::to_string(*facts.remaining));
  if (facts.reset) headers.emplace_back("RateLimit-Reset", seconds(*facts.reset));
  return headers;
}

// One origin, as a model answers; requests take 5 ms there and 1 ms on the wire.
struct paced_run {
  explicit paced_run(int requests, std::unique_ptr<server_model> model, std::uint64_t connections = 200)
      : server(std::move(model)), run(urls("http://h/", requests), [this](const http_request&, int) { return ask(); }) {
    fetch_options options;
    options.concurrency = std::max<std::uint64_t>(connections, 50);
    options.host_concurrency = connections;
    run.options = to_engine_options(options);
    run.options.flow.seed = run.options.flow.scheduling.origin.seed = 7;
  }

  reply ask() {
    const core::instant now = core::instant_of(dspu::testing::manual_clock::now());
    const dspu::test::answer came = server->arrive(now + 500us, 5ms);
    if (!came.admitted) refusals.push_back(run.sim.elapsed());
    return {.latency = came.leaves - now + 500us,
            .status = static_cast<unsigned>(came.status),
            .headers = headers_of(came.facts)};
  }
  double seconds() const { return std::chrono::duration<double>(run.sim.elapsed()).count(); }
  std::ptrdiff_t refused_before(std::chrono::nanoseconds t) const {
    return std::ranges::count_if(refusals, [t](auto at) { return at < t; });
  }

  std::unique_ptr<server_model> server;
  std::vector<std::chrono::nanoseconds> refusals;
  run_of run;
};

template <class Model, class Options>
std::unique_ptr<server_model> server(const Options& options) {
  return std::make_unique<Model>(options);
}

TEST(EnginePace, FinishesAtNginxsPaceWithoutBeingToldIt) {
  for (const int status : {503, 429}) {
    for (const std::int64_t burst : {0, 5, 20, 100}) {
      for (const bool nodelay : {true, false}) {
        for (const std::uint64_t connections : {8u, 200u}) {
          SCOPED_TRACE("burst " + std::to_string(burst) + (nodelay ? " nodelay " : " ") + std::to_string(status) +
                       ", connections " + std::to_string(connections));
          paced_run p(600, server<nginx_limit_req>(limit_req_options{
                               .rate = 50, .burst = burst, .nodelay = nodelay, .refuses = {.status = status}}),
                      connections);
          p.run.run();
          EXPECT_EQ(p.run.engine->counts().ok, 600u);
          EXPECT_LE(p.seconds(), 1.3 * static_cast<double>(600 - burst) / 50);
          EXPECT_LE(p.refusals.size(), 12 + 1.5 * static_cast<double>(burst));
          EXPECT_THAT(p.run.seen.transitions, IsEmpty());
        }
      }
    }
  }
}

}  // namespace
