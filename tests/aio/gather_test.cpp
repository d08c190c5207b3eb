#include "dspu/aio/gather.hpp"

#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <ranges>
#include <sstream>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using test::after;
using testing::simulator;
using ::testing::ElementsAre;

awaitable<int> ready(int value) { co_return value; }

awaitable<int> fail_after(duration d) {
  co_await after(d, 0);
  throw scripted_failure();
}

struct Gather : ::testing::Test {
  simulator sim;
  script op;

  std::vector<awaitable<int>> some(int n, duration takes) {
    std::vector<awaitable<int>> ops;
    for (int i = 0; i < n; ++i) ops.push_back(after(takes, i));
    return ops;
  }
};

TEST_F(Gather, GivesResultsInInputOrder) {
  std::vector<awaitable<int>> ops;
  for (int i = 0; i < 5; ++i) ops.push_back(after(1s * (5 - i), i));
  EXPECT_THAT(sim.run(gather_with_limit(std::move(ops), {.limit = 5})), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(sim.elapsed(), 5s);
}

TEST_F(Gather, RunsNoMoreThanItsLimitAtOnce) {
  op.returns(1, 1s);
  std::size_t most = 0;
  const auto watched = [&](int) -> awaitable<int> {
    most = std::max(most, op.running() + 1);
    return op();
  };
  sim.run(map_with_limit(std::views::iota(0, 100), watched, {.limit = 7}));
  EXPECT_EQ(most, 7U);
  EXPECT_EQ(op.calls(), 100U);
  EXPECT_EQ(sim.elapsed(), 15s);
}

TEST_F(Gather, GivesATupleForSeveralTypes) {
  const auto text = []() -> awaitable<std::string> { co_return "text"; };
  const auto nothing = []() -> awaitable<void> { co_return; };
  const auto [a, b, c] = sim.run(gather_with_limit({.limit = 2}, after(1s, 7), text, nothing()));
  EXPECT_EQ(a, 7);
  EXPECT_EQ(b, "text");
  static_assert(std::is_same_v<decltype(c), const std::monostate>);
}

TEST_F(Gather, ReturnsExceptionsInTheirSlots) {
  std::vector<awaitable<int>> ops;
  ops.push_back(after(1s, 1));
  ops.push_back(fail_after(0s));
  ops.push_back(after(2s, 3));
  const auto results = sim.run(gather_with_limit(std::move(ops), {.limit = 3}, return_exceptions));
  EXPECT_EQ(results.at(0).value(), 1);
  EXPECT_THROW(results.at(1).value(), scripted_failure);
  EXPECT_EQ(results.at(2).value(), 3);

  const auto [x, y] = sim.run(gather_with_limit({.limit = 1}, return_exceptions, ready(5), fail_after(1s)));
  EXPECT_EQ(x.value(), 5);
  EXPECT_TRUE(test::holds<scripted_failure>(y.error()));
}

TEST_F(Gather, GivesEmptyForEmpty) {
  EXPECT_TRUE(sim.run(gather_with_limit(std::vector<awaitable<int>>{}, {.limit = 3})).empty());
  EXPECT_TRUE(sim.run(map_with_limit(std::vector<int>{}, ready, {.limit = 3})).empty());
}

TEST_F(Gather, RefusesALimitBelowOne) {
  for (const std::int64_t limit : {0L, -1L}) {
    try {
      sim.run(gather_with_limit(some(1, 1s), {.limit = limit}));
      FAIL();
    } catch (const std::invalid_argument& e) {
      EXPECT_EQ(e.what(), "gather.limit is " + std::to_string(limit) + "; must be at least 1");
    }
  }
}

TEST_F(Gather, CancelsAndAwaitsTheRestAtTheFirstErrorInTime) {
  op.returns(0, 10s).fails(2s).fails(1s).returns(0, 1s);
  const auto call = [&](int) { return op(); };
  EXPECT_THROW(sim.run(map_with_limit(std::views::iota(0, 50), call, {.limit = 3})), scripted_failure);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(op.running(), 0U);
  EXPECT_EQ(op.calls(), 3U) << "what had not started never starts";
  EXPECT_EQ(op.log()[0].how, script::ending::cancelled);
  EXPECT_EQ(op.log()[2].how, script::ending::threw);
}

TEST_F(Gather, WaitsForSiblingsThatIgnoreCancellation) {
  op.returns(0, 10s).ignoring_cancellation().fails(1s);
  const auto call = [&](int) { return op(); };
  EXPECT_THROW(sim.run(map_with_limit(std::views::iota(0, 9), call, {.limit = 2})), scripted_failure);
  EXPECT_EQ(sim.elapsed(), 10s);
  EXPECT_EQ(op.calls(), 2U);
}

TEST_F(Gather, ReadsItsInputLazily) {
  int read = 0;
  std::vector<int> reads_when_run;
  auto counted = std::views::iota(0, 1000) | std::views::transform([&](int i) {
                   ++read;
                   return i;
                 });
  const auto note = [&](int i) -> awaitable<void> {
    reads_when_run.push_back(read);
    co_await after(1s, i);
  };
  sim.run(map_with_limit(counted, note, {.limit = 10}));
  EXPECT_EQ(reads_when_run.front(), 1);
  for (std::size_t i = 0; i < reads_when_run.size(); ++i) ASSERT_LE(reads_when_run[i], static_cast<int>(i) + 1);
}

TEST_F(Gather, TakesSinglePassInput) {
  std::istringstream words("3 1 2");
  const auto twice = [](int i) -> awaitable<int> { co_return 2 * i; };
  EXPECT_THAT(sim.run(map_with_limit(std::ranges::istream_view<int>(words), twice, {.limit = 2})), ElementsAre(6, 2, 4));
}

TEST_F(Gather, StopsWhenItsInputThrows) {
  op.returns(0, 10s);
  auto bad = std::views::iota(0, 9) | std::views::transform([](int i) {
               if (i == 2) throw std::range_error("input");
               return i;
             });
  const auto call = [&](int) { return op(); };
  EXPECT_THROW(sim.run(map_with_limit(bad, call, {.limit = 5})), std::range_error);
  EXPECT_EQ(op.running(), 0U);
}

TEST_F(Gather, CallsCallablesWhenTheirTurnComes) {
  std::vector<std::function<awaitable<int>()>> calls;
  std::vector<std::chrono::nanoseconds> started;
  for (int i = 0; i < 3; ++i) {
    calls.emplace_back([&, i] {
      started.push_back(sim.elapsed());
      return after(1s, i);
    });
  }
  EXPECT_THAT(sim.run(gather_with_limit(calls, {.limit = 1})), ElementsAre(0, 1, 2));
  EXPECT_THAT(started, ElementsAre(0s, 1s, 2s));
}

TEST_F(Gather, EndsWithTheCallersCancellation) {
  op.hangs();
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    co_await map_with_limit(std::views::iota(0, 100), call, {.limit = 5});
  };
  test::task t(sim, body());
  sim.run_for(3s);
  EXPECT_EQ(op.running(), 5U);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.running(), 0U);
  EXPECT_EQ(op.calls(), 5U);
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Gather, StartsNothingMoreAfterACancellationThatItsOperationsIgnore) {
  op.returns(1, 10s).ignoring_cancellation();
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    co_await map_with_limit(std::views::iota(0, 100), call, {.limit = 2}, return_exceptions);
  };
  test::task t(sim, body());
  sim.run_for(3s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.calls(), 2U);
}

TEST_F(Gather, KeepsAFullSetOfResultsThatArrivesWithACancellation) {
  op.returns(1, 10s).ignoring_cancellation();
  std::size_t kept = 0;
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    kept = (co_await map_with_limit(std::views::iota(0, 2), call, {.limit = 2})).size();
  };
  test::task t(sim, body());
  sim.run_for(3s);
  t.cancel();
  sim.run();
  EXPECT_EQ(kept, 2U);
  EXPECT_TRUE(t.succeeded());
}

TEST_F(Gather, RunsAMillionReadyOperationsWithoutGrowingTheStack) {
  const auto sum = [&]() -> awaitable<long> {
    long total = 0;
    const auto add = [&total](int i) -> awaitable<void> {
      total += i;
      co_return;
    };
    co_await map_with_limit(std::views::iota(0, 1'000'000), add, {.limit = 64});
    co_return total;
  };
  EXPECT_EQ(sim.run(sum()), 499'999'500'000L);
}

TEST_F(Gather, RunsInParallelOnAPool) {
  asio::thread_pool pool(4);
  std::atomic<int> calls{0};
  const auto hop = [&](int i) -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    ++calls;
    co_await asio::post(asio::use_awaitable);
    co_return i;
  };
  auto all = asio::co_spawn(pool, map_with_limit(std::views::iota(0, 5000), hop, {.limit = 16}), asio::use_future);
  const auto results = all.get();
  EXPECT_EQ(calls, 5000);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(results[static_cast<std::size_t>(i)], i);
}

// A plain io_context counts as concurrent, so that children run on strands and cancellations are posted. One of them may
// come when all have ended and the caller's resumption is already queued.
TEST_F(Gather, ResumesItsCallerOnceWheneverACancellationCrossesItsEnd) {
  const auto hop = [](int i) -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return i;
  };
  for (int steps = 0; steps < 60; ++steps) {
    asio::io_context loop;
    const auto body = [&]() -> awaitable<void> { co_await map_with_limit(std::views::iota(0, 3), hop, {.limit = 2}); };
    test::task t(loop.get_executor(), body());
    for (int i = 0; i < steps; ++i) loop.poll_one();
    t.cancel();
    loop.restart();
    loop.run();
    EXPECT_TRUE(t.succeeded() || t.aborted()) << steps;
  }
}

TEST_F(Gather, CancelsSafelyOnAPool) {
  asio::thread_pool pool(4);
  for (int round = 0; round < 300; ++round) {
    const auto mixed = [&](int i) -> awaitable<int> {
      for (int k = 0; k < i % 5; ++k) co_await asio::post(asio::use_awaitable);
      if (i == 20) throw scripted_failure();
      asio::steady_timer far(co_await asio::this_coro::executor, 1h);
      if (i > 20) co_await far.async_wait(asio::use_awaitable);
      co_return i;
    };
    auto all = asio::co_spawn(pool, map_with_limit(std::views::iota(0, 100), mixed, {.limit = 8}), asio::use_future);
    EXPECT_THROW(all.get(), scripted_failure);
  }
}

}  // namespace
}  // namespace dspu::aio
