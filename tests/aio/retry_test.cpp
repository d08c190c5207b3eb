#include "dspu/aio/retry.hpp"

#include "dspu/aio/result.hpp"
#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using testing::simulator;
using policy = basic_retry<manual_clock>;

struct Retry : ::testing::Test {
  simulator sim;
  script op;

  int call(const policy& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(Retry, HasTheDocumentedDefaults) {
  const retry_options o;
  EXPECT_EQ(o.max_attempts, 3);
  EXPECT_EQ(o.strategy, backoff_strategy::exponential);
  EXPECT_EQ(o.base_delay, 1s);
  EXPECT_EQ(o.max_delay, 60s);
  EXPECT_EQ(o.multiplier, 2.0);
  EXPECT_EQ(o.jitter, jitter::full);
}

TEST_F(Retry, MakesEachAttemptAfterItsPause) {
  op.fails().fails().returns(5);
  EXPECT_EQ(call(policy{{.jitter = jitter::none}}), 5);
  EXPECT_EQ(op.calls(), 3U);
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Retry, DrawsItsJitterFromTheRandomSourceItIsGiven) {
  op.fails().fails().returns(5);
  EXPECT_EQ(call(policy{{.random = [] { return 0.25; }}}), 5);
  EXPECT_EQ(sim.elapsed(), 250ms + 500ms);
}

TEST_F(Retry, RethrowsTheLastErrorUnchanged) {
  op.fails().throws(std::domain_error("last"));
  try {
    call(policy{{.max_attempts = 2}});
    FAIL();
  } catch (const std::domain_error& e) {
    EXPECT_STREQ(e.what(), "last");
  }
}

TEST_F(Retry, ReturnsTheLastFailedResult) {
  int calls = 0;
  const auto fails_by_value = [&]() -> awaitable<result<int>> {
    ++calls;
    co_return std::make_exception_ptr(std::domain_error("value"));
  };
  const auto last = sim.run(policy{{.max_attempts = 4}}.call(fails_by_value));
  EXPECT_EQ(calls, 4);
  EXPECT_THROW(last.value(), std::domain_error);
}

TEST_F(Retry, RetriesOnlyWhatItsClassifierCallsAFailure) {
  op.fails();
  EXPECT_THROW(call(policy{{.classify = failing_on<std::domain_error>()}}), scripted_failure);
  EXPECT_EQ(op.calls(), 1U);
  EXPECT_THROW(call(policy{{.classify = failing_on<std::domain_error, std::runtime_error>()}}), scripted_failure);
  EXPECT_EQ(op.calls(), 4U);
  EXPECT_THROW(call(policy{{.classify = ignoring<std::runtime_error>()}}), scripted_failure);
  EXPECT_EQ(op.calls(), 5U);
}

TEST_F(Retry, TellsOfEachFailureBeforeThePause) {
  std::vector<std::pair<std::int64_t, std::chrono::nanoseconds>> told;
  op.fails().fails().returns(1);
  const auto note = [&](std::int64_t attempt, std::exception_ptr error) {
    EXPECT_TRUE(test::holds<scripted_failure>(error));
    told.emplace_back(attempt, sim.elapsed());
  };
  call(policy{{.jitter = jitter::none, .on_retry = note}});
  using pair = std::pair<std::int64_t, std::chrono::nanoseconds>;
  EXPECT_THAT(told, ::testing::ElementsAre(pair{1, 0s}, pair{2, 1s}));
}

TEST_F(Retry, AwaitsAnAsynchronousOnRetry) {
  op.fails().returns(1);
  const auto slow = [](std::int64_t, std::exception_ptr) -> awaitable<void> {
    testing::manual_timer timer(co_await asio::this_coro::executor, 10s);
    co_await timer.async_wait(asio::use_awaitable);
  };
  call(policy{{.jitter = jitter::none, .on_retry = slow}});
  EXPECT_EQ(sim.elapsed(), 11s);
}

TEST_F(Retry, KeepsBothErrorsWhenOnRetryThrows) {
  op.fails();
  try {
    call(policy{{.on_retry = [](std::int64_t, std::exception_ptr) { throw std::range_error("callback"); }}});
    FAIL();
  } catch (const callback_error& e) {
    EXPECT_TRUE(test::holds<std::range_error>(e.callback()));
    EXPECT_TRUE(test::holds<scripted_failure>(e.cause()));
  }
  EXPECT_EQ(op.calls(), 1U);
}

TEST_F(Retry, CountsAFactoryThatThrowsAsAnAttempt) {
  int calls = 0;
  const auto throws_early = [&]() -> awaitable<int> {
    if (++calls < 3) throw std::domain_error("before the first suspension");
    return op();
  };
  op.returns(8);
  EXPECT_EQ(sim.run(policy{}.call(throws_early)), 8);
  EXPECT_EQ(calls, 3);
}

TEST_F(Retry, NeverRetriesACancelledAttempt) {
  op.hangs().returns(1);
  const policy p;
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.run_for(5s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.calls(), 1U);
  EXPECT_EQ(sim.elapsed(), 5s);
}

TEST_F(Retry, EndsAtOnceWhenCancelledInAPauseAndKeepsTheLastError) {
  op.fails();
  const policy p{{.base_delay = 1h, .jitter = jitter::none, .max_retry_after = 1h}};
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.run_for(5s);
  t.cancel();
  sim.run();
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_TRUE(t.aborted());
  ASSERT_TRUE(t.failed_with<cancelled_error>());
  try {
    std::rethrow_exception(t.error());
  } catch (const cancelled_error& e) {
    EXPECT_TRUE(test::holds<scripted_failure>(e.last_error()));
  }
}

TEST_F(Retry, RetriesAnAbortThatNobodyAskedFor) {
  op.throws(boost::system::system_error(asio::error::operation_aborted)).returns(2);
  EXPECT_EQ(call(policy{}), 2);
}

TEST_F(Retry, DoesNotStartAnotherAttemptAfterAFailureThatCameWithACancellation) {
  op.fails(10s).ignoring_cancellation().returns(1);
  const policy p;
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.run_for(5s);
  t.cancel();
  sim.run();
  EXPECT_EQ(op.calls(), 1U);
  EXPECT_EQ(sim.elapsed(), 10s);
  EXPECT_TRUE(t.failed_with<scripted_failure>()) << "it ends as the attempt ended";
}

TEST_F(Retry, WaitsAsLongAsTheErrorAsks) {
  op.throws(circuit_breaker_error(circuit_state::open, 5, 42s)).returns(1);
  EXPECT_EQ(call(policy{{.max_delay = 1s}}), 1);
  EXPECT_EQ(sim.elapsed(), 42s);
}

TEST_F(Retry, GivesUpAtOnceWhenTheErrorAsksForTooLong) {
  op.throws(circuit_breaker_error(circuit_state::open, 5, 6min)).returns(1);
  EXPECT_THROW(call(policy{}), circuit_breaker_error);
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST_F(Retry, ReadsTheWishFromUsersOwnErrors) {
  op.throws(std::range_error("429")).returns(1);
  EXPECT_EQ(call(policy{{.retry_after = [](const outcome& o) -> std::optional<duration> {
              if (o.threw<std::range_error>()) return 3s;
              return std::nullopt;
            }}}),
            1);
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Retry, ServesManyCallsAtOnce) {
  const policy p{{.jitter = jitter::none}};
  int done = 0;
  const auto one = [&]() -> awaitable<void> {
    int attempts = 0;
    const auto third_time_lucky = [&attempts]() -> awaitable<void> {
      if (++attempts < 3) throw scripted_failure();
      co_return;
    };
    co_await p.call(third_time_lucky);
    EXPECT_EQ(attempts, 3);
    ++done;
  };
  for (int i = 0; i < 1000; ++i) sim.spawn(one());
  sim.run();
  EXPECT_EQ(done, 1000);
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Retry, KeepsArgumentsIntactForEveryAttempt) {
  int calls = 0;
  const auto reads = [&](const std::unique_ptr<int>& p) -> awaitable<std::unique_ptr<int>> {
    if (++calls < 3) throw scripted_failure();
    co_return std::make_unique<int>(*p);
  };
  EXPECT_EQ(*sim.run(policy{}.call(reads, std::make_unique<int>(6))), 6);
}

TEST_F(Retry, DecoratesWithoutNeedingThePolicyAfterwards) {
  auto stubborn = policy{{.jitter = jitter::none}}([this](int x) -> awaitable<int> {
    const int y = co_await op();
    co_return x + y;
  });
  op.fails().returns(2);
  auto pending = stubborn(40);
  EXPECT_EQ(sim.run(std::move(pending)), 42);
}

TEST_F(Retry, DoesNotTouchTheEventLoopOnSuccess) {
  const policy p;
  const auto many = [&]() -> awaitable<void> {
    for (int i = 0; i < 100; ++i) co_await p.call([this] { return op(); });
  };
  op.returns(1);
  asio::co_spawn(sim.context(), many(), asio::detached);
  EXPECT_EQ(sim.context().poll_one(), 1U);
  EXPECT_EQ(op.calls(), 100U);
}

TEST_F(Retry, RefusesBadOptions) {
  EXPECT_THROW(policy{{.max_attempts = 0}}, std::invalid_argument);
  EXPECT_THROW(policy{{.base_delay = -1s}}, std::invalid_argument);
  EXPECT_THROW(policy{{.max_delay = -1s}}, std::invalid_argument);
  EXPECT_THROW(policy{{.multiplier = -1}}, std::invalid_argument);
  EXPECT_THROW(policy{{.max_retry_after = -1s}}, std::invalid_argument);
}

}  // namespace
}  // namespace dspu::aio
