#include "dspu/aio/pipeline.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;

retry_options plain(std::int64_t attempts, duration pause) {
  return {.max_attempts = attempts,
          .strategy = backoff_strategy::constant,
          .base_delay = pause,
          .jitter = jitter::none};
}

class Pipeline : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  breaker_m breaker{{.failure_threshold = 3, .success_threshold = 1, .timeout = 60s}};
  limiter_m limiter{{.rate = 1, .capacity = 2}};

  template <class P>
  int run(const P& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(Pipeline, ReturnsWhatTheOperationReturns) {
  op.returns(7, 1s);
  EXPECT_EQ(run(timeout_m(10s) | retry_m(plain(5, 1s)) | breaker | limiter | timeout_m(2s)), 7);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(limiter.tokens(), 2);  // one was used, and one has flowed in
}

TEST_F(Pipeline, PassesArgumentsAndVoid) {
  int seen = 0;
  const auto store = [&](int a, std::unique_ptr<int> b) -> awaitable<void> {
    seen = a + *b;
    co_return;
  };
  sim.run((breaker | limiter).call(store, 3, std::make_unique<int>(4)));
  EXPECT_EQ(seen, 7);
}

TEST_F(Pipeline, RetriesInsideTheTotalTimeout) {
  op.fails().fails().returns(3);
  EXPECT_EQ(run(timeout_m(10s) | retry_m(plain(5, 2s))), 3);
  EXPECT_EQ(sim.elapsed(), 4s);
  EXPECT_EQ(op.calls(), 3u);
}

TEST_F(Pipeline, TimesOutEachAttempt) {
  op.hangs().hangs().returns(1);
  EXPECT_EQ(run(retry_m(plain(5, 1s)) | timeout_m(2s)), 1);
  EXPECT_EQ(sim.elapsed(), 6s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Pipeline, BlamesTheTimeoutThatExpired) {
  op.hangs();
  try {
    run(timeout_m(5s) | retry_m(plain(9, 1s)) | timeout_m(2s));
    FAIL();
  } catch (const async_timeout_error& e) {
    EXPECT_EQ(e.timeout(), 5s);
    EXPECT_TRUE(test::holds<async_timeout_error>(e.last_error()));
  }
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Pipeline, RefusesAPauseThatOutlastsTheDeadlineAtOnce) {
  op.fails(1s);
  try {
    run(timeout_m(5s) | retry_m(plain(9, 4s)));
    FAIL();
  } catch (const deadline_error& e) {
    EXPECT_EQ(e.code(), errc::would_exceed_deadline);
    EXPECT_EQ(e.needed(), 4s);
    EXPECT_EQ(e.remaining(), 4s);
    EXPECT_TRUE(test::holds<scripted_failure>(e.last_error()));
  }
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(Pipeline, CountsAttemptsInABreakerInside) {
  op.fails();
  EXPECT_THROW(run(retry_m(plain(3, 1s)) | breaker), scripted_failure);
  EXPECT_EQ(breaker.state(), circuit_state::open);
}

TEST_F(Pipeline, CountsCallsInABreakerOutside) {
  op.fails();
  EXPECT_THROW(run(breaker | retry_m(plain(3, 1s))), scripted_failure);
  EXPECT_EQ(breaker.failure_count(), 1);
}

TEST_F(Pipeline, CountsAnAttemptThatTimedOutInside) {
  op.hangs();
  EXPECT_THROW(run(breaker | timeout_m(1s)), async_timeout_error);
  EXPECT_EQ(breaker.failure_count(), 1);
}

TEST_F(Pipeline, DoesNotCountWhatATimeoutOutsideCutShort) {
  op.hangs();
  EXPECT_THROW(run(timeout_m(1s) | breaker), async_timeout_error);
  EXPECT_EQ(breaker.failure_count(), 0);
}

TEST_F(Pipeline, DoesNotCountWhatAPolicyInsideRefused) {
  limiter_m narrow{{.rate = 1, .capacity = 1, .max_waiters = 0}};
  EXPECT_TRUE(narrow.try_acquire());
  EXPECT_THROW(run(breaker | narrow), queue_full_error);
  EXPECT_EQ(breaker.failure_count(), 0);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Pipeline, GivesTokensBackForWhatAPolicyInsideRefused) {
  op.fails();
  for (int i = 0; i < 3; ++i) EXPECT_THROW(run(pipe(breaker)), scripted_failure);
  EXPECT_THROW(run(limiter | breaker), circuit_breaker_error);
  EXPECT_EQ(limiter.tokens(), 2);
}

TEST_F(Pipeline, ChargesEveryAttemptInALimiterInside) {
  op.fails();
  EXPECT_THROW(run(retry_m(plain(4, 0s)) | limiter), scripted_failure);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_EQ(sim.elapsed(), 2s);
}

TEST_F(Pipeline, TimesOutInTheLimitersLine) {
  limiter_m slow{{.rate = 0.1, .capacity = 1}};
  EXPECT_TRUE(slow.try_acquire());
  EXPECT_ANY_THROW(run(timeout_m(2s) | breaker | slow));
  EXPECT_EQ(breaker.failure_count(), 0);
  EXPECT_EQ(slow.waiters(), 0u);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Pipeline, TellsTheOperationItsBudget) {
  int calls = 0;
  const auto look = [&](const call_context& c, int x) -> awaitable<int> {
    ++calls;
    EXPECT_EQ(c.attempt, calls);
    EXPECT_EQ(c.retries_around, 1);
    EXPECT_EQ(c.remaining(), calls == 1 ? 2s : 1s);
    EXPECT_EQ(test::holds<scripted_failure>(c.last_error), calls == 2);
    if (calls == 1) throw scripted_failure();
    co_return x;
  };
  EXPECT_EQ(sim.run((timeout_m(3s) | retry_m(plain(3, 2s)) | timeout_m(2s)).call(look, 5)), 5);
}

TEST_F(Pipeline, GivesItsBudgetToAPipelineInside) {
  op.fails(1s);
  const auto inner = retry_m(plain(5, 3s)) | breaker;
  const auto outer = timeout_m(3s) | limiter;
  const auto nested = [&](const call_context& c) { return inner.call_in(c, [this] { return op(); }); };
  EXPECT_THROW(sim.run(outer.call(nested)), deadline_error);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(Pipeline, IsCancelledAsAWhole) {
  op.hangs();
  const auto p = timeout_m(10s) | retry_m(plain(5, 1s)) | breaker | limiter | timeout_m(5s);
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(6s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(sim.elapsed(), 6s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
  EXPECT_EQ(breaker.failure_count(), 1);  // the attempt that timed out by itself
}

TEST_F(Pipeline, DecoratesAndOutlivesItsName) {
  op.fails().returns(2);
  const auto call = [&] {
    const auto p = retry_m(plain(2, 1s)) | timeout_m(5s);
    return p([this] { return op(); });
  }();
  EXPECT_EQ(sim.run(call()), 2);
}

TEST_F(Pipeline, KeepsAResultThatArrivesWithTheExpiry) {
  op.returns(9, 2s).ignoring_cancellation();
  EXPECT_EQ(run(retry_m(plain(2, 1s)) | timeout_m(1s)), 9);
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Pipeline, DescribesItself) {
  const auto p = timeout_m(10s) | retry_m({.max_attempts = 5}) | breaker | limiter | timeout_m(1500ms);
  EXPECT_EQ(p.describe(),
            "timeout(10 s) | retry(5 attempts, exponential from 1 s to 1 min, full jitter) | "
            "circuit_breaker(opens after 3 failures, for 1 min) | rate_limiter(1 per 1 s, 2 at once) | timeout(1.5 s)");
}

}  // namespace
}  // namespace dspu::aio
