// The servers that other tests run against admit what the real ones do.
#include "support/server_models.hpp"

#include "support/load_run.hpp"
#include "support/server_conditions.hpp"

#include <gtest/gtest.h>

namespace dspu::test {
namespace {

using namespace std::chrono_literals;

std::int64_t admitted_at_once(server_model& server, instant now, std::int64_t most = 1000) {
  std::int64_t n = 0;
  while (n < most && server.arrive(now, 0s).admitted) ++n;
  return n;
}

TEST(ServerModels, LimitReqAdmitsItsBurstAndThenItsRate) {
  nginx_limit_req server({.rate = 50, .burst = 20});
  EXPECT_EQ(admitted_at_once(server, run_start), 21);
  EXPECT_FALSE(server.arrive(run_start + 19ms, 0s).admitted);
  EXPECT_TRUE(server.arrive(run_start + 20ms, 0s).admitted);
  EXPECT_EQ(admitted_at_once(server, run_start + 120ms), 5);
  EXPECT_EQ(admitted_at_once(server, run_start + 1min), 21);
}

TEST(ServerModels, LimitReqDelaysTheBurstWithoutNodelay) {
  nginx_limit_req server({.rate = 50, .burst = 2, .nodelay = false});
  EXPECT_EQ(server.arrive(run_start, 5ms).leaves, run_start + 5ms);
  EXPECT_EQ(server.arrive(run_start, 5ms).leaves, run_start + 25ms);
  EXPECT_EQ(server.arrive(run_start, 5ms).leaves, run_start + 45ms);
  EXPECT_FALSE(server.arrive(run_start, 5ms).admitted);
}

TEST(ServerModels, FixedWindowTellsWhatIsLeftAndWhenItEnds) {
  fixed_window server({.limit = 2, .window = 1min, .tells = true, .refuses_with_reset = true});
  const instant minute{std::chrono::minutes{5000}};
  const auto first = server.arrive(minute + 10s, 0s);
  EXPECT_EQ(first.facts.remaining, 1);
  EXPECT_EQ(first.facts.reset, 50s);
  EXPECT_TRUE(server.arrive(minute + 20s, 0s).admitted);
  const auto refused = server.arrive(minute + 59500ms, 0s);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.facts.retry_after, 1s);
  EXPECT_TRUE(server.arrive(minute + 60s, 0s).admitted);
}

TEST(ServerModels, SlidingWindowHoldsInEverySpan) {
  sliding_window server({.limit = 3, .window = 1s});
  EXPECT_EQ(admitted_at_once(server, run_start), 3);
  EXPECT_FALSE(server.arrive(run_start + 999ms, 0s).admitted);
  EXPECT_EQ(admitted_at_once(server, run_start + 1s), 3);
}

TEST(ServerModels, StickTableCountsWhatItDenies) {
  haproxy_stick_table server({.limit = 10, .window = 10s});
  const instant begin{std::chrono::seconds{100'000}};
  EXPECT_EQ(admitted_at_once(server, begin), 10);
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(server.arrive(begin + 1s, 0s).admitted);
  EXPECT_FALSE(server.arrive(begin + 11s, 0s).admitted) << "20 · 0.9 of the period before are still counted";
  EXPECT_TRUE(server.arrive(begin + 16s, 0s).admitted) << "20 · 0.4, and the two of this period";
}

TEST(ServerModels, LimitConnCountsThoseInService) {
  limit_conn server(2, {.status = 429});
  EXPECT_EQ(server.arrive(run_start, 10ms).leaves, run_start + 10ms);
  EXPECT_TRUE(server.arrive(run_start, 20ms).admitted);
  EXPECT_EQ(server.arrive(run_start + 5ms, 10ms).status, 429);
  EXPECT_TRUE(server.arrive(run_start + 10ms, 10ms).admitted);
}

TEST(ServerModels, OverloadedQueuesAndThenRefuses) {
  overloaded server(1, 2, {});
  EXPECT_EQ(server.arrive(run_start, 10ms).leaves, run_start + 10ms);
  EXPECT_EQ(server.arrive(run_start, 10ms).leaves, run_start + 20ms);
  EXPECT_EQ(server.arrive(run_start, 10ms).leaves, run_start + 30ms);
  EXPECT_FALSE(server.arrive(run_start, 10ms).admitted);
  EXPECT_TRUE(server.arrive(run_start + 10ms, 10ms).admitted);
}

TEST(ServerModels, SharedServerServesTheOtherClientInBetween) {
  shared_server server(std::make_unique<token_bucket_server>(bucket_options{.rate = 10, .depth = 1}),
                       {{.rate = 10, .from = run_start, .until = run_start + 1s}});
  EXPECT_FALSE(server.arrive(run_start + 550ms, 0s).admitted);
  EXPECT_TRUE(server.arrive(run_start + 1500ms, 0s).admitted);
}

TEST(ServerModels, ToldClientGetsItsRateWithoutARefusal) {
  nginx_limit_req server({.rate = 50, .burst = 0});
  told_rate policy(50);
  const auto r = run_load({.requests = 100, .jitter = 0, .late = 0s}, policy, server);
  EXPECT_EQ(r.took, 99 * 20ms + 6ms);
  EXPECT_EQ(r.refused, 0);
}

TEST(ServerModels, ClientWithoutAPolicyIsRefusedWithoutEnd) {
  nginx_limit_req server({.rate = 50, .burst = 20});
  no_policy policy;
  const auto r = run_load({.requests = 100, .connections = 8}, policy, server);
  EXPECT_EQ(r.admitted, 100);
  EXPECT_GT(r.refused, 1000);
}

TEST(ServerModels, FairnessIsJains) {
  EXPECT_DOUBLE_EQ(fairness({1, 1}), 1);
  EXPECT_DOUBLE_EQ(fairness({1, 0}), 0.5);
}

}  // namespace
}  // namespace dspu::test
