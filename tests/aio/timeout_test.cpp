#include "dspu/aio/timeout.hpp"

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

struct RunWithTimeout : ::testing::Test {
  simulator sim;
  script op;

  int run(duration d) { return sim.run(run_with_timeout<manual_clock>(op(), d)); }
};

TEST_F(RunWithTimeout, GivesTheResultThatCameInTime) {
  op.returns(7, 1s);
  EXPECT_EQ(run(2s), 7);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(RunWithTimeout, DoesNotWaitOutTheTimeWhenTheOperationFails) {
  op.fails(1s);
  EXPECT_THROW(run(1h), scripted_failure);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(RunWithTimeout, CancelsAndAwaitsWhatTakesTooLong) {
  op.returns(7, 10s);
  try {
    run(2s);
    FAIL();
  } catch (const async_timeout_error& e) {
    EXPECT_EQ(e.timeout(), 2s);
    EXPECT_EQ(e.code(), std::errc::timed_out);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("after 2 s"));
  }
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(op.running(), 0U);
}

TEST_F(RunWithTimeout, KeepsAResultThatArrivesWithTheExpiry) {
  op.returns(7, 2s);
  EXPECT_EQ(run(2s), 7);
}

TEST_F(RunWithTimeout, WaitsForAnOperationThatIgnoresCancellationAndKeepsItsResult) {
  op.returns(7, 10s).ignoring_cancellation();
  EXPECT_EQ(run(2s), 7);
  EXPECT_EQ(sim.elapsed(), 10s);
}

TEST_F(RunWithTimeout, LetsAnErrorOfTheOperationsOwnThrough) {
  op.fails(10s).ignoring_cancellation();
  EXPECT_THROW(run(2s), scripted_failure);
}

TEST_F(RunWithTimeout, DoesNotStartWhatHasNoTime) {
  op.returns(7);
  EXPECT_THROW(run(0s), async_timeout_error);
  EXPECT_THROW(run(-1s), async_timeout_error);
  EXPECT_THROW(run(duration::min()), async_timeout_error);
  EXPECT_EQ(op.calls(), 0U);
}

TEST_F(RunWithTimeout, NeverExpiresBeyondTheClocksRange) {
  op.returns(7, 1000h);
  EXPECT_EQ(run(duration::max()), 7);
}

TEST_F(RunWithTimeout, BlamesTheTimeoutThatExpired) {
  op.hangs();
  const auto nested = [&](duration outer, duration inner) -> awaitable<int> {
    auto within = run_with_timeout<manual_clock>(op(), inner);
    return run_with_timeout<manual_clock>(std::move(within), outer);
  };
  const auto blamed = [&](duration outer, duration inner) {
    try {
      sim.run(nested(outer, inner));
    } catch (const async_timeout_error& e) {
      return e.timeout();
    }
    return duration{0};
  };
  EXPECT_EQ(blamed(1s, 2s), 1s);
  EXPECT_EQ(blamed(2s, 1s), 1s);
}

TEST_F(RunWithTimeout, IsNotMistakenForTheCallersCancellation) {
  op.hangs();
  const auto body = [&]() -> awaitable<void> { co_await run_with_timeout<manual_clock>(op(), 10s); };
  test::task t(sim, body());
  sim.run_for(3s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_FALSE(t.failed_with<async_timeout_error>());
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.running(), 0U);
}

TEST_F(RunWithTimeout, PassesOnATimeoutErrorOfTheUsersOwn) {
  op.throws(async_timeout_error(42s), 1s);
  try {
    run(2s);
    FAIL();
  } catch (const async_timeout_error& e) {
    EXPECT_EQ(e.timeout(), 42s);
  }
}

TEST_F(RunWithTimeout, PassesOnAnAbortThatNobodyAskedFor) {
  op.throws(boost::system::system_error(asio::error::operation_aborted), 1s);
  EXPECT_THROW(run(2s), boost::system::system_error);
}

TEST_F(RunWithTimeout, TakesCallablesAndVoid) {
  bool ran = false;
  const auto nothing = [&]() -> awaitable<void> {
    ran = true;
    co_return;
  };
  sim.run(run_with_timeout<manual_clock>(nothing, 1s));
  EXPECT_TRUE(ran);
  const basic_timeout<manual_clock> limit{1s};
  op.returns(3).hangs();
  EXPECT_EQ(sim.run(limit.call([&] { return op(); })), 3);
  const auto bounded = limit([&](int) { return op(); });
  EXPECT_THROW(sim.run(bounded(1)), async_timeout_error);
}

TEST_F(RunWithTimeout, DoesNotArmATimerForWhatIsReady) {
  op.returns(1);
  const auto many = [&]() -> awaitable<void> {
    for (int i = 0; i < 100; ++i) co_await run_with_timeout<manual_clock>(op(), 1s);
  };
  asio::co_spawn(sim.context(), many(), asio::detached);
  EXPECT_EQ(sim.context().poll_one(), 1U);
  EXPECT_EQ(op.calls(), 100U);
}

}  // namespace
}  // namespace dspu::aio
