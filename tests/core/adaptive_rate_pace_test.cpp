// What adaptive_rate_machine reaches against models of servers, in virtual time: exact seeds, so each run
// goes one way.
//
// The targets are: time at most 1.1 of the ideal for runs of 60 s and more, 1.3 for 12 s; refused at most 2 %
// of all, and in the first two seconds at most 1.5 of the server's burst, or 8 more than it for small bursts.
// Rows that promise less say why. The ideal is a client that knows the limit and was never refused.
#include "dspu/core/adaptive_rate_machine.hpp"

#include "support/load_run.hpp"
#include "support/server_conditions.hpp"
#include "support/server_models.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;
using namespace dspu::test;
using made = std::unique_ptr<server_model>;

struct target {
  double time = 1.1;    // of the ideal
  double share = 0.02;  // refused of all
  double early = 8;     // refused in the first two seconds: 1.5 bursts, or this many more than the burst
};

struct row {
  const char* name;
  std::function<made()> server;
  std::int64_t requests;
  double ideal;  // s, but for what the connections themselves bound
  double burst;
  duration service = 5ms;
  target reaches = {};
};

void check(const row& r, std::size_t connections) {
  SCOPED_TRACE(std::string(r.name) + ", " + std::to_string(connections) + " connections");
  const auto server = r.server();
  adaptive_rate_machine pace({}, run_start);
  const auto report = run_load(
      {.requests = r.requests, .connections = connections, .service = r.service, .limit = 4h}, pace, *server);
  const double bound = static_cast<double>(r.requests) *
                       std::chrono::duration<double>(r.service + 1ms).count() /
                       static_cast<double>(connections);
  const double ideal = std::max(r.ideal, bound);
  EXPECT_EQ(report.admitted, r.requests);
  EXPECT_LE(report.seconds(), r.reaches.time * ideal);
  EXPECT_LE(report.refused_share(), r.reaches.share);
  EXPECT_LE(static_cast<double>(report.refused_between(0s, 2s)),
            std::max(1.5 * r.burst, r.burst + r.reaches.early));
  EXPECT_EQ(pace.in_flight(), 0);
}

void check(const std::vector<row>& rows) {
  for (const auto& r : rows) {
    for (const std::size_t connections : {8, 200}) check(r, connections);
  }
}

std::function<made()> limit_req(const limit_req_options& o) {
  return [o] { return std::make_unique<nginx_limit_req>(o); };
}
std::function<made()> window(const window_options& o) {
  return [o] { return std::make_unique<fixed_window>(o); };
}

TEST(AdaptiveRatePace, OfNginxIsFoundWithinASecond) {
  check({
      {"burst 0", limit_req({.burst = 0}), 600, 11.98, 0, 5ms, {.time = 1.3}},
      {"burst 5", limit_req({.burst = 5}), 600, 11.88, 5, 5ms, {.time = 1.3}},
      {"burst 20", limit_req({.burst = 20}), 600, 11.58, 20, 5ms, {.time = 1.1}},
      // As many as the slow start has in flight when the bucket is empty, of a run of ten seconds.
      {"burst 100", limit_req({.burst = 100}), 600, 9.98, 100, 5ms, {.time = 1.1, .share = 0.03}},
  });
}

TEST(AdaptiveRatePace, OfNginxIsKeptForAMinute) {
  check({
      {"burst 0", limit_req({.burst = 0}), 3000, 59.98, 0},
      {"burst 5", limit_req({.burst = 5}), 3000, 59.88, 5, 5ms, {.time = 1.02}},
      {"burst 20", limit_req({.burst = 20}), 3000, 59.58, 20, 5ms, {.time = 1.01}},
      {"burst 100", limit_req({.burst = 100}), 3000, 57.98, 100, 5ms, {.time = 1.01}},
      {"burst 20, delay", limit_req({.burst = 20, .nodelay = false}), 3000, 60, 20, 5ms, {.time = 1.01}},
      {"burst 5, delay", limit_req({.burst = 5, .nodelay = false}), 3000, 60, 5, 5ms, {.time = 1.01}},
      {"burst 20, 50 ms", limit_req({.burst = 20}), 3000, 59.58, 20, 50ms, {.time = 1.02}},
      {"burst 100, 200 ms", limit_req({.burst = 100}), 3000, 57.98, 100, 200ms, {.time = 1.03}},
      {"10/s, burst 20", limit_req({.rate = 10, .burst = 20}), 1000, 97.9, 20, 5ms, {.time = 1.02}},
      {"1000/s, burst 200", limit_req({.rate = 1000, .burst = 200}), 20'000, 19.8, 200, 20ms, {.time = 1.03}},
  });
}

// A Retry-After of 0 holds nothing. One of a second costs a second for each refusal, and at least three are
// needed.
TEST(AdaptiveRatePace, HeedsRetryAfter) {
  check({
      {"0 s", limit_req({.burst = 20, .refuses = {.retry_after = 0s}}), 3000, 59.58, 20, 5ms, {.time = 1.01}},
      {"1 s", limit_req({.burst = 20, .refuses = {.retry_after = 1s}}), 3000, 59.58, 20, 5ms, {.time = 1.15}},
  });
}

TEST(AdaptiveRatePace, OfBucketsOfAnyDepthIsFound) {
  const auto bucket = [](double rate, double depth) -> std::function<made()> {
    return
        [=] { return std::make_unique<token_bucket_server>(bucket_options{.rate = rate, .depth = depth}); };
  };
  check({
      {"depth 1000", bucket(10, 1000), 3000, 200, 1000, 5ms, {.time = 1.05, .share = 0.03}},
      // Calls that jitter by a millisecond, every ten of them, are refused by so small a bucket at any pace
      // near its rate.
      {"depth 2", bucket(100, 2), 3000, 30, 2, 5ms, {.time = 1.1, .share = 0.05, .early = 12}},
  });
}

// Without a word from the server, only refusals tell when a window ends; some ten for one of a minute.
TEST(AdaptiveRatePace, OfWindowsBecomesEvenOrWaitsForTheReset) {
  check({
      {"100 a minute, reset told", window({.tells = true}), 600, 360, 100, 5ms, {.time = 1}},
      {"100 a minute, Retry-After", window({.refuses_with_reset = true}), 600, 360, 100, 5ms, {.time = 1}},
      {"5000 an hour, reset told",
       window({.limit = 5000, .window = 1h, .tells = true}),
       6000,
       4320,
       5000,
       5ms,
       {.time = 1}},
      {"100 a minute", window({}), 600, 360, 100, 5ms, {.time = 1.1, .share = 0.07}},
      {"50 a second", window({.limit = 50, .window = 1s}), 3000, 60, 50, 5ms, {.time = 1.2}},
      {"500 in ten seconds, haproxy",
       [] { return std::make_unique<haproxy_stick_table>(window_options{.limit = 500, .window = 10s}); },
       3000,
       60,
       500,
       5ms,
       {.time = 1.1, .share = 0.04}},
      {"50 in each second",
       [] { return std::make_unique<sliding_window>(window_options{.limit = 50, .window = 1s}); },
       3000,
       60,
       50,
       5ms,
       {.time = 1.15}},
  });
}

TEST(AdaptiveRatePace, IsNotWhatLimitsOfCallsInFlightAreTakenFor) {
  const auto at_once = [](std::int64_t k) -> std::function<made()> {
    return [k] { return std::make_unique<limit_conn>(k, refusal_style{.status = 429}); };
  };
  check({
      {"1 at once", at_once(1), 600, 30, 1, 50ms, {.time = 1.2, .share = 0.03}},
      {"8 at once", at_once(8), 4800, 30, 8, 50ms},
      {"50 at once", at_once(50), 30'000, 30, 50, 50ms},
      {"ten workers, fifty waiting", [] { return std::make_unique<overloaded>(10, 50, refusal_style{}); },
       6000, 30, 60, 50ms},
      {"ten workers, none waiting", [] { return std::make_unique<overloaded>(10, 0, refusal_style{}); }, 6000,
       30, 10, 50ms},
  });
  const auto server = at_once(8)();
  adaptive_rate_machine pace({}, run_start);
  run_load({.requests = 4800, .service = 50ms}, pace, *server);
  EXPECT_NEAR(static_cast<double>(pace.learnt().concurrency.value_or(0)), 8,
              1);  // it may be about to try one more
}

// One in a hundred fails at random, or none; a minute's work either way.
TEST(AdaptiveRatePace, IsNoneWhereNothingIsLimited) {
  for (const double share : {0.0, 0.01}) {
    for (const std::int64_t connections : {8, 200}) {
      SCOPED_TRACE(std::to_string(share) + ", " + std::to_string(connections) + " connections");
      const load_options load{.requests = 1150 * connections,
                              .connections = static_cast<std::size_t>(connections),
                              .service = 50ms};
      refuses_at_random without(share, 7, std::make_unique<unlimited>(), {});
      refuses_at_random with(share, 7, std::make_unique<unlimited>(), {});
      no_policy none;
      adaptive_rate_machine pace({}, run_start);
      const double unpaced = run_load(load, none, without).seconds();
      EXPECT_LE(run_load(load, pace, with).seconds(), 1.01 * unpaced);
      EXPECT_FALSE(pace.pace().has_value());
    }
  }
}

TEST(AdaptiveRatePace, IsFoundBesideRefusalsAtRandom) {
  check({{"1 %, 50/s",
          [] {
            return std::make_unique<refuses_at_random>(
                0.01, 7, std::make_unique<nginx_limit_req>(limit_req_options{}), refusal_style{});
          },
          3000,
          59.58,
          20,
          5ms,
          {.time = 1.05, .share = 0.03}}});
}

// 50/s, after 20 s 10/s, after 20 s more 100/s: at the new pace within five seconds.
TEST(AdaptiveRatePace, FollowsALimitThatChanges) {
  using changing_limit = changing<nginx_limit_req>;
  for (const std::int64_t burst : {5, 20}) {
    SCOPED_TRACE(burst);
    changing_limit server(nginx_limit_req({.burst = burst}),
                          {{run_start + 20s, [](auto& s) { s.set_rate(10); }},
                           {run_start + 40s, [](auto& s) { s.set_rate(100); }}});
    adaptive_rate_machine pace({}, run_start);
    const auto r = run_load({.requests = 3200}, pace, server);
    EXPECT_NEAR(static_cast<double>(r.admitted_between(25s, 30s)), 50, 5);
    EXPECT_LE(r.refused_between(25s, 30s), 3);
    EXPECT_NEAR(static_cast<double>(r.admitted_between(45s, 50s)), 500, 50);
    EXPECT_LE(r.refused_share(), 0.02);
  }
}

TEST(AdaptiveRatePace, YieldsToAnotherClientAndTakesItsShareBack) {
  shared_server server(std::make_unique<nginx_limit_req>(limit_req_options{}),
                       {{25, run_start + 20s, run_start + 40s}});
  adaptive_rate_machine pace({}, run_start);
  const auto r = run_load({.requests = 2500}, pace, server);
  EXPECT_NEAR(static_cast<double>(r.admitted_between(25s, 40s)), 15 * 25, 25);
  EXPECT_LE(r.seconds(), 1.1 * 60);
  EXPECT_LE(r.refused_share(), 0.02);
}

// Not as fairly as one would like: the aim is an index of 0.95 in each minute, and that is the mean of
// several only.
TEST(AdaptiveRatePace, IsSharedByTwoOfThem) {
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    nginx_limit_req server({});
    adaptive_rate_machine a({}, run_start);
    adaptive_rate_machine b({}, run_start);
    const auto r = run_load_of<adaptive_rate_machine>({.requests = 4000, .service = 50ms, .seed = seed},
                                                      {{{&a}, {0}}, {{&b}, {0}}}, {&server});
    const auto share = [&](std::size_t i) { return static_cast<double>(r[i].admitted_between(0s, 60s)); };
    sum += fairness({share(0), share(1)});
    EXPECT_GE(fairness({share(0), share(1)}), 0.6);
    EXPECT_GE(share(0) + share(1), 0.95 * 3000);
  }
  EXPECT_GE(sum / 10, 0.87);
}

TEST(AdaptiveRatePace, OfTenServersIsFoundAtOnce) {
  for (const std::size_t connections : {8, 200}) {
    std::vector<nginx_limit_req> servers(10, nginx_limit_req({}));
    std::vector<adaptive_rate_machine> paces(10, adaptive_rate_machine({}, run_start));
    load_client<adaptive_rate_machine> client;
    std::vector<server_model*> all;
    for (std::size_t i = 0; i < 10; ++i) {
      client.policies.push_back(&paces[i]);
      client.servers.push_back(i);
      all.push_back(&servers[i]);
    }
    const auto r =
        run_load_of<adaptive_rate_machine>({.requests = 10'000, .connections = connections}, {client}, all)
            .front();
    EXPECT_LE(r.seconds(), 1.1 * (1000 - 21) / 50);
    EXPECT_LE(r.refused_share(), 0.02);
  }
}

}  // namespace
}  // namespace dspu::core
