#include "dspu/aio/single_flight.hpp"

#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>

#include <memory>
#include <string>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

class SingleFlight : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  single_flight<std::string, int> once;
  std::vector<int> got;

  awaitable<void> fly(std::string key) {
    got.push_back(co_await once.call(key, [this] { return op(); }));
  }
  std::unique_ptr<test::task> start(std::string key = "a") {
    return std::make_unique<test::task>(sim, fly(std::move(key)));
  }
};

TEST_F(SingleFlight, RunsOnceForAllWhoCallMeanwhile) {
  op.returns(1, 2s).returns(2, 2s);
  const auto a = start();
  const auto b = start();
  sim.run_until(1s);
  const auto c = start();
  sim.run_until(1s);
  EXPECT_EQ(once.in_flight(), 1u);
  EXPECT_EQ(once.shared(), 2u);
  sim.run();
  EXPECT_EQ(got, (std::vector{1, 1, 1}));
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(once.in_flight(), 0u);
}

TEST_F(SingleFlight, IsNoCache) {
  op.returns(1, 1s).returns(2, 1s).returns(3);
  sim.run(fly("a"));
  sim.run(fly("a"));
  sim.run(fly("a"));
  EXPECT_EQ(got, (std::vector{1, 2, 3}));
  EXPECT_EQ(once.in_flight(), 0u);
}

TEST_F(SingleFlight, KeepsKeysApart) {
  op.returns(1, 1s).returns(2, 1s);
  const auto a = start("a");
  const auto b = start("b");
  sim.run_until(0s);
  EXPECT_EQ(once.in_flight(), 2u);
  sim.run();
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(SingleFlight, GivesAllTheSameError) {
  op.fails(1s);
  const auto a = start();
  const auto b = start();
  sim.run();
  EXPECT_TRUE(a->failed_with<scripted_failure>());
  EXPECT_EQ(a->error(), b->error());
  EXPECT_EQ(once.in_flight(), 0u);
}

TEST_F(SingleFlight, LetsWhoIsCancelledLeaveAtOnceAndAlone) {
  op.returns(7, 10s);
  const auto a = start();
  const auto b = start();
  sim.at(1s, [&] { b->cancel(); });
  sim.run_until(1s);
  EXPECT_TRUE(b->aborted());
  sim.run();
  EXPECT_TRUE(a->succeeded());
  EXPECT_EQ(got, (std::vector{7}));
}

TEST_F(SingleFlight, GoesOnForTheOthersWhenTheFirstLeaves) {
  op.returns(7, 10s);
  const auto a = start();
  const auto b = start();
  sim.at(1s, [&] { a->cancel(); });
  sim.run_until(1s);
  EXPECT_TRUE(a->aborted());
  EXPECT_EQ(op.running(), 1u);
  const auto c = start();
  sim.run();
  EXPECT_EQ(got, (std::vector{7, 7}));
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(sim.elapsed(), 10s);
}

TEST_F(SingleFlight, IsCancelledWhenTheLastOneLeaves) {
  op.hangs();
  const auto a = start();
  const auto b = start();
  sim.at(1s, [&] { a->cancel(); });
  sim.at(2s, [&] { b->cancel(); });
  sim.run_until(1s);
  EXPECT_EQ(op.running(), 1u);
  sim.run();
  EXPECT_TRUE(a->aborted());
  EXPECT_TRUE(b->aborted());
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(op.log()[0].how, script::ending::cancelled);
  EXPECT_EQ(once.in_flight(), 0u);
}

TEST_F(SingleFlight, OutlivesNotAllWhoWaitedForIt) {
  op.returns(1, 5s).ignoring_cancellation().returns(2, 1s);
  const auto a = start();
  const auto b = start();
  sim.at(1s, [&] { a->cancel(); });
  sim.at(2s, [&] { b->cancel(); });
  sim.run_until(3s);
  EXPECT_TRUE(a->aborted());
  EXPECT_FALSE(b->done()) << "it was the last";
  const auto c = start();  // does not join what was cancelled
  sim.run_until(4s);
  EXPECT_TRUE(c->succeeded());
  sim.run();
  EXPECT_TRUE(b->succeeded()) << "the result came in spite of the cancellation";
  EXPECT_EQ(got, (std::vector{2, 1}));
  EXPECT_EQ(sim.elapsed(), 5s);
}

TEST_F(SingleFlight, CutsNobodyElseByATimeout) {
  op.returns(7, 5s);
  const auto impatient = [&]() -> awaitable<void> {
    auto call = once.call("a", [this] { return op(); });
    co_await run_with_timeout<manual_clock>(std::move(call), 1s);
  };
  test::task a(sim, impatient());
  const auto b = start();
  sim.run();
  EXPECT_TRUE(a.failed_with<async_timeout_error>());
  EXPECT_EQ(got, (std::vector{7}));
}

TEST_F(SingleFlight, StartsNothingForWhoIsCancelledAlready) {
  const auto cancelled = [&]() -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    testing::manual_timer timer(sim.get_executor(), 1s);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_await once.call("a", [this] { return op(); });
  };
  test::task a(sim, cancelled());
  sim.run_until(0s);
  a.cancel();
  sim.run();
  EXPECT_TRUE(a.aborted());
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(SingleFlight, TakesArgumentsAndPipelines) {
  single_flight<int, std::string> names;
  const auto look_up = [](std::unique_ptr<int> id, std::string_view prefix) -> awaitable<std::string> {
    co_return std::string(prefix) + std::to_string(*id);
  };
  EXPECT_EQ(sim.run(names.call(5, look_up, std::make_unique<int>(5), "user ")), "user 5");
  single_flight<int, void> nothing;
  bool done = false;
  sim.run(nothing.call(1, [&]() -> awaitable<void> {
    done = true;
    co_return;
  }));
  EXPECT_TRUE(done);

  op.fails(1s).returns(4, 1s);
  const basic_retry<manual_clock> again({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_EQ(sim.run(again.call([&] { return once.call("a", [this] { return op(); }); })), 4)
      << "retried outside";
}

TEST_F(SingleFlight, MayGoBeforeItsCallsEnd) {
  op.returns(7, 2s);
  auto gone = std::make_unique<single_flight<std::string, int>>();
  auto call = gone->call("a", [this] { return op(); });
  sim.at(1s, [&] { gone.reset(); });
  EXPECT_EQ(sim.run(std::move(call)), 7);
}

TEST_F(SingleFlight, HandsTheRunToSomebodyElseWhenItsEventLoopGoesAway) {
  op.hangs().returns(8, 1s);
  auto doomed = std::make_unique<asio::io_context>(1);
  asio::co_spawn(*doomed, fly("a"), asio::detached);
  doomed->poll();
  const auto b = start();
  const auto c = start();
  sim.run_until(1s);
  EXPECT_EQ(op.calls(), 1u);
  doomed.reset();
  sim.run();
  EXPECT_TRUE(b->succeeded());
  EXPECT_TRUE(c->succeeded());
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(got, (std::vector{8, 8}));
}

TEST_F(SingleFlight, ForgetsWhoWasDestroyedWhileWaiting) {
  op.hangs();
  const auto a = start();
  sim.run_until(0s);
  {
    asio::io_context doomed(1);
    asio::co_spawn(doomed, fly("a"), asio::detached);
    doomed.poll();
    EXPECT_EQ(once.shared(), 1u);
  }
  a->cancel();
  sim.run();
  EXPECT_TRUE(a->aborted()) << "it was the last";
  EXPECT_EQ(op.running(), 0u);
  EXPECT_EQ(once.in_flight(), 0u);
}

// The run's loop is one that nobody drives any more.
class SingleFlightOnALoopThatStandsStill : public SingleFlight {
 protected:
  using flights = single_flight<std::string, int, std::hash<std::string>, std::equal_to<std::string>, manual_clock>;

  asio::io_context still{1};
  flights shared{{.stall_limit = 1s}};

  awaitable<void> fly_in_time(std::string key) {
    got.push_back(co_await shared.call(key, [this] { return op(); }));
  }
  template <class Executor>
  std::unique_ptr<test::task> start_on(const Executor& ex) {
    return std::make_unique<test::task>(ex, fly_in_time("a"));
  }
  void turn() {
    still.restart();
    still.poll();
  }
};

TEST_F(SingleFlightOnALoopThatStandsStill, RunsAnewForWhoWaitsOnAnother) {
  op.returns(1, 2s).returns(2, 3s);
  const auto a = start_on(still.get_executor());
  turn();
  const auto b = start_on(sim.get_executor());
  const auto c = start_on(sim.get_executor());
  sim.run();
  EXPECT_TRUE(b->succeeded());
  EXPECT_TRUE(c->succeeded());
  EXPECT_EQ(sim.elapsed(), 4s);
  EXPECT_EQ(op.calls(), 2u) << "one of them runs, the other shares it";
  EXPECT_EQ(shared.in_flight(), 0u);
  turn();
  turn();
  EXPECT_TRUE(a->succeeded()) << "of the run it had begun";
  EXPECT_EQ(got, (std::vector{2, 2, 1}));
}

TEST_F(SingleFlightOnALoopThatStandsStill, IsLeftToItsLoopAsLongAsThatAnswers) {
  op.returns(1, 10s);
  const auto a = start_on(still.get_executor());
  for (auto t = 0ms; t < 11s; t += 500ms) sim.at(t, [this] { turn(); });
  turn();
  const auto b = start_on(sim.get_executor());
  sim.run();
  EXPECT_TRUE(b->succeeded());
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(sim.elapsed(), 10500ms) << "the last turn";
}

TEST_F(SingleFlightOnALoopThatStandsStill, DoesNotHoldTheLastOneWhoIsCancelled) {
  op.returns(1, 2s);
  const auto a = start_on(still.get_executor());
  turn();
  const auto b = start_on(sim.get_executor());
  sim.run_until(100ms);
  a->cancel();
  turn();
  EXPECT_TRUE(a->aborted()) << "b still waits";
  b->cancel();
  sim.run();
  EXPECT_TRUE(b->aborted());
  EXPECT_LE(sim.elapsed(), 1100ms);
  EXPECT_EQ(shared.in_flight(), 0u);
  turn();
  EXPECT_EQ(op.running(), 0u) << "it was cancelled as soon as its loop went on";
}

TEST_F(SingleFlightOnALoopThatStandsStill, RefusesALimitOfNothing) {
  EXPECT_THROW(flights({.stall_limit = 0s}), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::aio
