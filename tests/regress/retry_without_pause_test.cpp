// A retry without pauses around an operation that failed at once never let the event loop go: neither the caller's
// cancellation nor a timeout around it ended it.
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <limits>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using retry_m = basic_retry<manual_clock>;

constexpr auto without_pause = [] {
  return retry_options{.max_attempts = std::numeric_limits<std::int64_t>::max(), .base_delay = 0s};
};

struct RetryWithoutPause : ::testing::Test {
  testing::simulator sim;
  std::int64_t attempts = 0;

  awaitable<int> fail() {
    ++attempts;
    throw std::runtime_error("at once");
    co_return 1;
  }
  template <class Policy>
  awaitable<void> call(Policy policy) {
    const auto once = [this] { return fail(); };
    co_await policy.call(once);
  }
};

TEST_F(RetryWithoutPause, LetsTheEventLoopDoOtherWork) {
  test::task t(sim, call(retry_m(without_pause())));
  bool turn = false;
  asio::post(sim.context(), [&] {
    turn = true;
    t.cancel();
  });
  sim.run();
  EXPECT_TRUE(turn);
  EXPECT_TRUE(t.aborted());
  EXPECT_LE(attempts, 100);
}

TEST_F(RetryWithoutPause, EndsInsideOfAnotherPolicy) {
  test::task t(sim, call(basic_timeout<manual_clock>(1h) | retry_m(without_pause())));
  asio::post(sim.context(), [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
}

TEST_F(RetryWithoutPause, EndsWithTheTimeoutAroundIt) {
  const auto row = basic_timeout<manual_clock>(1s) | retry_m(without_pause());
  // Time passes only by what an attempt takes, which never waits.
  const auto busy = [this] {
    manual_clock::advance(1ms);
    return fail();
  };
  EXPECT_THROW(sim.run(row.call(busy)), error);
  EXPECT_LE(attempts, 1100);
}

}  // namespace
}  // namespace dspu::aio
