#include "dspu/aio/as_completed.hpp"

#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::script;
using testing::scripted_failure;
using test::after;
using testing::simulator;
using ::testing::ElementsAre;

struct AsCompleted : ::testing::Test {
  simulator sim;
  script op;
};

TEST_F(AsCompleted, YieldsResultsInTheOrderInWhichTheyCome) {
  std::vector<std::size_t> order;
  const auto body = [&]() -> awaitable<void> {
    std::vector<awaitable<int>> ops;
    ops.push_back(after(3s, 30));
    ops.push_back(after(1s, 10));
    ops.push_back(after(2s, 20));
    auto stream = gather_as_completed(std::move(ops), {.limit = 3});
    while (auto c = co_await stream.next()) {
      order.push_back(c->index);
      EXPECT_EQ(sim.elapsed(), 1s * c->outcome.value() / 10);
    }
  };
  sim.run(body());
  EXPECT_THAT(order, ElementsAre(1, 2, 0));
}

TEST_F(AsCompleted, GoesOnAfterAnError) {
  op.fails(1s).returns(5, 1s);
  int values = 0;
  int errors = 0;
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    auto stream = map_as_completed(std::views::iota(0, 4), call, {.limit = 1});
    while (auto c = co_await stream.next()) ++(c->outcome.has_value() ? values : errors);
  };
  sim.run(body());
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(values, 3);
}

TEST_F(AsCompleted, DoesNotRunFarAheadOfItsConsumer) {
  op.returns(1);
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    auto stream = map_as_completed(std::views::iota(0, 1000), call, {.limit = 10});
    EXPECT_EQ(op.calls(), 0U) << "lazy until asked";
    for (int taken = 1; taken <= 1000; ++taken) {
      const auto c = co_await stream.next();
      EXPECT_TRUE(c);
      co_await after(1s, 0);
      EXPECT_LE(op.calls(), static_cast<std::size_t>(taken) + 20);
    }
    const auto end = co_await stream.next();
    EXPECT_FALSE(end);
  };
  sim.run(body());
  EXPECT_EQ(op.calls(), 1000U);
}

TEST_F(AsCompleted, CancelsWhatRunsWhenDroppedMidway) {
  op.returns(1, 1s).hangs();
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    auto stream = map_as_completed(std::views::iota(0, 100), call, {.limit = 5});
    co_await stream.next();
  };
  sim.run(body());
  sim.run();
  EXPECT_EQ(op.running(), 0U);
  EXPECT_LE(op.calls(), 6U);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(AsCompleted, WaitsForWhatRunsWhenClosed) {
  op.returns(1, 1s).returns(2, 10s).ignoring_cancellation();
  const auto body = [&]() -> awaitable<void> {
    const auto call = [&](int) { return op(); };
    auto stream = map_as_completed(std::views::iota(0, 100), call, {.limit = 2});
    co_await stream.next();
    co_await stream.close();
    EXPECT_EQ(op.running(), 0U);
  };
  sim.run(body());
  EXPECT_EQ(sim.elapsed(), 11s) << "the third began when the first had ended";
}

TEST_F(AsCompleted, GivesTheInputsErrorAfterTheResults) {
  auto bad = std::views::iota(0, 9) | std::views::transform([](int i) {
               if (i == 2) throw std::range_error("input");
               return i;
             });
  int values = 0;
  const auto body = [&]() -> awaitable<void> {
    const auto call = [](int i) { return after(1s, i); };
    auto stream = map_as_completed(bad, call, {.limit = 5});
    while (auto c = co_await stream.next()) ++values;
  };
  EXPECT_THROW(sim.run(body()), std::range_error);
  EXPECT_EQ(values, 2);
}

TEST_F(AsCompleted, SurvivesItsContext) {
  op.hangs();
  const auto call = [&](int) { return op(); };
  auto stream = map_as_completed(std::views::iota(0, 9), call, {.limit = 3});
  {
    asio::io_context doomed(1);
    const auto body = [](auto& s) -> awaitable<void> { co_await s.next(); };
    asio::co_spawn(doomed, body(stream), asio::detached);
    doomed.poll();
    EXPECT_EQ(op.running(), 3U);
  }
  EXPECT_EQ(op.running(), 0U);
}

TEST_F(AsCompleted, RefusesALimitBelowOne) {
  const auto call = [&](int) { return op(); };
  EXPECT_THROW(map_as_completed(std::views::iota(0, 9), call, {.limit = 0}), std::invalid_argument);
}

TEST_F(AsCompleted, RunsInParallelOnAPool) {
  asio::thread_pool pool(4);
  const auto hop = [](int i) -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return i;
  };
  const auto body = [&]() -> awaitable<long> {
    long sum = 0;
    auto stream = map_as_completed(std::views::iota(0, 3000), hop, {.limit = 8});
    while (auto c = co_await stream.next()) sum += c->outcome.value();
    co_return sum;
  };
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(asio::co_spawn(pool, body(), asio::use_future).get(), 2999L * 3000 / 2);
  }
}

}  // namespace
}  // namespace dspu::aio
