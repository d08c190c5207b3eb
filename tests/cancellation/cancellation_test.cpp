// Every public operation, and nests of them, cancelled and destroyed at every suspension point.
#include "cancellation/harness.hpp"

#include "dspu/aio/generator.hpp"
#include "dspu/aio/iter_over_async.hpp"
#include "dspu/aio/run_async.hpp"

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdio>
#include <ranges>

namespace dspu::aio::proof {
namespace {

class CancellationPoints : public ::testing::Environment {
 public:
  static inline std::size_t cancelled = 0;
  static inline std::size_t destroyed = 0;
  void TearDown() override {
    std::printf("cancellation points: %zu cancelled, %zu destroyed\n", cancelled, destroyed);
  }
};
[[maybe_unused]] const auto* const environment = ::testing::AddGlobalTestEnvironment(new CancellationPoints);

findings disturb_everywhere(const scenario& s) { return cancel_everywhere(s); }
findings disturb_everywhere(const blocking_scenario& s) { return stop_everywhere(s); }

template <std::ranges::range Table>
void check(const Table& table) {
  for (const auto& s : table) {
    const auto cancelled = disturb_everywhere(s);
    const auto destroyed = destroy_everywhere(s);
    EXPECT_EQ(cancelled.complaints, "");
    EXPECT_EQ(destroyed.complaints, "");
    EXPECT_GT(cancelled.points, 1U) << s.name << " never suspends";
    CancellationPoints::cancelled += cancelled.points;
    CancellationPoints::destroyed += destroyed.points;
  }
}

TEST(CancellationEverywhere, KeepsThePromisesOfTheLimiter) { check(scenarios_of("limiters")); }
TEST(CancellationEverywhere, KeepsThePromisesOfTheBreaker) { check(scenarios_of("breakers")); }
TEST(CancellationEverywhere, KeepsThePromisesOfRetry) { check(scenarios_of("retries")); }
TEST(CancellationEverywhere, KeepsThePromisesOfTimeouts) { check(scenarios_of("timeouts")); }
TEST(CancellationEverywhere, KeepsThePromisesOfGather) { check(scenarios_of("gathers")); }
TEST(CancellationEverywhere, KeepsThePromisesOfShields) { check(scenarios_of("shields")); }
TEST(CancellationEverywhere, KeepsThePromisesOfKeys) { check(scenarios_of("keys")); }
TEST(CancellationEverywhere, KeepsThePromisesOfNests) { check(scenarios_of("nests")); }
TEST(CancellationEverywhere, KeepsThePromisesOfHedges) { check(scenarios_of("hedges")); }
TEST(CancellationEverywhere, KeepsThePromisesOfPipelines) { check(scenarios_of("pipelines")); }
TEST(CancellationEverywhere, KeepsThePromisesOfLimitsAndChaos) { check(scenarios_of("limits_and_chaos")); }
TEST(CancellationEverywhere, KeepsThePromisesOfSharedRuns) { check(scenarios_of("flights")); }
TEST(CancellationEverywhere, KeepsThePromisesOfCallsFromCoroutines) { check(scenarios_of("calls")); }
TEST(CancellationEverywhere, KeepsThePromisesOfThreadsThatBlock) { check(blocking_scenarios()); }

// Without an executor, the loop is one that nobody can step from outside: the coroutine itself asks for the
// stop, at each of its suspension points in turn.
awaitable<int> hops(int& frames, int stop_before, std::stop_source stop) {
  const counted here(frames);
  for (int i = 0; i < 5; ++i) {
    if (i == stop_before) stop.request_stop();
    co_await asio::post(asio::use_awaitable);
  }
  co_return 5;
}
generator<int> hopping(int& frames, int stop_before, std::stop_source stop) {
  const counted here(frames);
  for (int i = 0; i < 5; ++i) {
    if (i == stop_before) stop.request_stop();
    co_await asio::post(asio::use_awaitable);
    co_yield i;
  }
}
int count_items(int& frames, int stop_before, int leave_after) {
  const std::stop_source stop;
  int items = 0;
  auto range = iter_over_async(hopping(frames, stop_before, stop), stop.get_token());
  for (auto i = range.begin(); i != range.end() && items < leave_after; ++i) ++items;
  return items;
}

TEST(CancellationEverywhere, KeepsThePromisesOfThePrivateLoop) {
  for (int point = 0; point < 5; ++point) {
    int frames = 0;
    const std::stop_source stop;
    // The last hop may be over before the stop arrives.
    if (point < 4) {
      EXPECT_THROW(run_async(hops(frames, point, stop), stop.get_token()), boost::system::system_error)
          << point;
    } else {
      EXPECT_NO_THROW(run_async(hops(frames, 5, stop), stop.get_token()));
    }
    EXPECT_EQ(frames, 0) << point;
    EXPECT_THROW(count_items(frames, point, 5), boost::system::system_error) << point;
    EXPECT_EQ(frames, 0) << point;
    EXPECT_EQ(count_items(frames, -1, point), point);
    EXPECT_EQ(frames, 0) << point;
    EXPECT_EQ(run_async(hops(frames, -1, stop)), 5) << "the thread's loop serves again";
  }
}

}  // namespace
}  // namespace dspu::aio::proof
