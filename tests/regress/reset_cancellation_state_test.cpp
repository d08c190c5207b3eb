// An operation that was cancelled, reset its cancellation state for its own cleanup and then failed was called again by
// retries and counted by breakers: they looked at the state that it had left. Nor could what came after it be cancelled.
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <optional>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::manual_timer;
using breaker = basic_circuit_breaker<manual_clock>;
using retry_m = basic_retry<manual_clock>;

awaitable<void> nap(duration d) {
  manual_timer timer(co_await asio::this_coro::executor, d);
  co_await timer.async_wait(asio::use_awaitable);
}

struct ResetCancellationState : ::testing::Test {
  testing::simulator sim;
  int attempts = 0;
  std::optional<test::task> task;

  // Cancelled, it takes a second to clean up, undisturbed, and fails with an error of its own.
  awaitable<void> cleans_up() {
    ++attempts;
    bool aborted = false;
    try {
      auto sleeping = nap(10s);
      co_await std::move(sleeping);
    } catch (const boost::system::system_error&) {
      aborted = true;
    }
    if (!aborted) co_return;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    auto cleaning = nap(1s);
    co_await std::move(cleaning);
    throw std::runtime_error("not finished");
  }
  // Asks for a state of its own from the start, which is to hear of the caller's cancellation.
  awaitable<void> hears_all() {
    ++attempts;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    auto sleeping = nap(10s);
    co_await std::move(sleeping);
  }
  // Fails at once, and leaves the coroutine deaf.
  awaitable<void> leaves_it_deaf() {
    ++attempts;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    throw std::runtime_error("fails");
  }

  template <class Policy, class Op>
  void cancel_a_call(Policy& policy, Op op, duration takes) {
    const auto body = [](Policy& p, Op fn) -> awaitable<void> { co_await p.call(fn); };
    task.emplace(sim, body(policy, op));
    sim.run_for(1s);
    task->cancel();
    sim.run();
    EXPECT_TRUE(task->done());
    EXPECT_FALSE(task->succeeded());
    EXPECT_EQ(sim.elapsed(), 1s + takes);
    EXPECT_EQ(attempts, 1);
  }
  auto cleaning_up() {
    return [this] { return cleans_up(); };
  }
};

TEST_F(ResetCancellationState, IsNotTakenForACallThatNobodyCancelledByARetry) {
  retry_m again{{.max_attempts = 5, .base_delay = 0s}};
  cancel_a_call(again, cleaning_up(), 1s);
}

TEST_F(ResetCancellationState, IsNotTakenForACallThatNobodyCancelledByARetryInARow) {
  auto row = retry_m{{.max_attempts = 5, .base_delay = 0s}} | retry_m{{.max_attempts = 5, .base_delay = 0s}};
  cancel_a_call(row, cleaning_up(), 1s);
}

TEST_F(ResetCancellationState, IsNotTakenForACallThatNobodyCancelledWithATimeoutAround) {
  auto row = basic_timeout<manual_clock>(1h) | retry_m{{.max_attempts = 5, .base_delay = 0s}};
  cancel_a_call(row, cleaning_up(), 1s);
}

TEST_F(ResetCancellationState, IsNoFailureForABreaker) {
  breaker b{{.failure_threshold = 1}};
  cancel_a_call(b, cleaning_up(), 1s);
  EXPECT_EQ(b.failure_count(), 0);
}

TEST_F(ResetCancellationState, IsNoFailureForAThrottle) {
  basic_throttle<manual_clock> polite{{.k = 1, .min_requests = 1}};
  cancel_a_call(polite, cleaning_up(), 1s);
  EXPECT_EQ(polite.rejection_probability(), 0);
}

TEST_F(ResetCancellationState, GivesAProbesPlaceBack) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s}};
  b.open_until(manual_clock::now());
  cancel_a_call(b, cleaning_up(), 1s);
  EXPECT_EQ(b.state(), circuit_state::half_open);
  EXPECT_TRUE(b.try_permit());
}

TEST_F(ResetCancellationState, StillLetsTheCallersCancellationThrough) {
  retry_m again{{.max_attempts = 5, .base_delay = 0s}};
  cancel_a_call(again, [this] { return hears_all(); }, 0s);
  EXPECT_TRUE(task->aborted());
}

TEST_F(ResetCancellationState, StillLetsTheCallersCancellationThroughSeveralRetries) {
  retry_m outer{{.max_attempts = 5, .base_delay = 0s}};
  retry_m inner{{.max_attempts = 5, .base_delay = 0s}};
  const auto nested = [&] { return inner.call([this] { return hears_all(); }); };
  cancel_a_call(outer, nested, 0s);
}

TEST_F(ResetCancellationState, LeavesThePauseAfterItCancellable) {
  retry_m again{{.max_attempts = 5, .base_delay = 1h, .jitter = jitter::none}};
  cancel_a_call(again, [this] { return leaves_it_deaf(); }, 0s);
  EXPECT_TRUE(task->failed_with<cancelled_error>());
}

TEST_F(ResetCancellationState, EndsWithTheOperation) {
  breaker b;
  const auto succeeds = []() -> awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
  };
  const auto body = [&]() -> awaitable<void> {
    co_await b.call(succeeds);
    EXPECT_TRUE(co_await asio::this_coro::throw_if_cancelled());
    auto sleeping = nap(1h);
    co_await std::move(sleeping);
  };
  test::task t(sim, body());
  sim.run_for(1s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(sim.elapsed(), 1s);
}

// The coroutine goes with its event loop while the operation waits under a state of its own.
TEST(ResetCancellationStateDestroyed, LeavesNothingInTheCallersSlot) {
  asio::cancellation_signal signal;
  breaker b;
  {
    testing::simulator sim;
    const auto waits = []() -> awaitable<void> {
      co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
      auto sleeping = nap(1h);
      co_await std::move(sleeping);
    };
    const auto body = [&]() -> awaitable<void> { co_await b.call(waits); };
    asio::co_spawn(sim.context(), body(), asio::bind_cancellation_slot(signal.slot(), asio::detached));
    sim.run_for(1s);
  }
  EXPECT_EQ(b.state(), circuit_state::closed);
}

}  // namespace
}  // namespace dspu::aio
