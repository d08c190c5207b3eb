#include "dspu/aio/generator.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <future>
#include <memory>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using ::testing::ElementsAre;

awaitable<void> pause_for(duration d) {
  testing::manual_timer timer(co_await asio::this_coro::executor, manual_clock::now() + d);
  co_await timer.async_wait(asio::use_awaitable);
}

struct flag_at_end {
  bool& flag;
  ~flag_at_end() { flag = true; }
};

// 1, 2, …, n, one a second.
generator<int> ticks(int n) {
  for (int i = 1; i <= n; ++i) {
    co_await pause_for(1s);
    co_yield i;
  }
}

generator<int> fails_at(int k) {
  for (int i = 1; i < k; ++i) co_yield i;
  throw std::runtime_error("no more");
}

struct Generator : ::testing::Test {
  simulator sim;

  awaitable<std::vector<int>> collect(generator<int> g) {
    std::vector<int> all;
    while (auto item = co_await g.next()) all.push_back(*item);
    co_return all;
  }
};

TEST_F(Generator, YieldsInOrderAndAwaitsInBetween) {
  EXPECT_THAT(sim.run(collect(ticks(3))), ElementsAre(1, 2, 3));
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Generator, StaysAtItsEnd) {
  const auto body = []() -> awaitable<int> {
    auto g = ticks(1);
    int items = 0;
    for (int i = 0; i < 4; ++i) {
      const auto item = co_await g.next();
      items += item.has_value();
    }
    co_return items;
  };
  EXPECT_EQ(sim.run(body()), 1);
  EXPECT_THAT(sim.run(collect(generator<int>{})), ElementsAre());
}

TEST_F(Generator, ThrowsItsErrorOnceThenIsAtItsEnd) {
  std::vector<int> seen;
  const auto body = [&]() -> awaitable<void> {
    auto g = fails_at(3);
    for (int i = 0; i < 2; ++i) seen.push_back((co_await g.next()).value());
    bool threw = false;
    try {
      co_await g.next();
    } catch (const std::runtime_error&) {
      threw = true;
    }
    EXPECT_TRUE(threw);
    const auto after = co_await g.next();
    EXPECT_FALSE(after.has_value());
  };
  sim.run(body());
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

TEST_F(Generator, UnwindsWhenDestroyedMidway) {
  bool unwound = false;
  const auto endless = [](bool& flag) -> generator<int> {
    const flag_at_end at_end{flag};
    for (int i = 0;; ++i) co_yield i;
  };
  const auto body = [&]() -> awaitable<void> {
    auto g = endless(unwound);
    co_await g.next();
    EXPECT_FALSE(unwound);
  };
  sim.run(body());
  EXPECT_TRUE(unwound);
}

TEST_F(Generator, NeverStartsUnlessAsked) {
  bool started = false;
  const auto lazy = [](bool& flag) -> generator<int> {
    flag = true;
    co_yield 1;
  };
  { const auto g = lazy(started); }
  EXPECT_FALSE(started);
}

TEST_F(Generator, PassesTheConsumersCancellationOn) {
  const auto body = [&]() -> awaitable<void> {
    auto g = ticks(10);
    while (auto item = co_await g.next()) {
    }
  };
  test::task t(sim, body());
  sim.run_for(2500ms);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(sim.elapsed(), 2500ms);
}

TEST_F(Generator, RefusesASecondNextWhileOneIsUnderWay) {
  auto g = ticks(2);
  const auto first = [&]() -> awaitable<void> { co_await g.next(); };
  sim.spawn(first());
  sim.context().poll();
  EXPECT_THROW(sim.run(first()), std::logic_error);
  sim.run();
}

TEST_F(Generator, MovesItsValuesAndItself) {
  const auto boxes = []() -> generator<std::unique_ptr<int>> {
    co_yield std::make_unique<int>(1);
    auto two = std::make_unique<int>(2);
    co_yield std::move(two);
  };
  const auto body = [&]() -> awaitable<int> {
    auto g = boxes();
    auto moved = std::move(g);
    auto one = co_await moved.next();
    generator<std::unique_ptr<int>> other;
    other = std::move(moved);
    auto two = co_await other.next();
    co_return **one * 10 + **two;
  };
  EXPECT_EQ(sim.run(body()), 12);
}

TEST_F(Generator, NestsInGenerators) {
  const auto doubled = [](generator<int> inner) -> generator<int> {
    while (auto item = co_await inner.next()) co_yield 2 * *item;
  };
  EXPECT_THAT(sim.run(collect(doubled(ticks(3)))), ElementsAre(2, 4, 6));
}

TEST_F(Generator, IsDestroyedWithItsContextWhileItAwaits) {
  bool unwound = false;
  const auto stuck = [](bool& flag) -> generator<int> {
    const flag_at_end at_end{flag};
    co_await pause_for(1h);
    co_yield 1;
  };
  {
    asio::io_context doomed{1};
    const auto body = [](generator<int> g) -> awaitable<void> { co_await g.next(); };
    asio::co_spawn(doomed, body(stuck(unwound)), asio::detached);
    doomed.poll();
    EXPECT_FALSE(unwound);
  }
  EXPECT_TRUE(unwound);
}

TEST_F(Generator, YieldsManyItemsWithoutDeepeningTheStack) {
  const auto numbers = [](int n) -> generator<int> {
    for (int i = 0; i < n; ++i) co_yield i;
  };
  EXPECT_EQ(sim.run(collect(numbers(200'000))).size(), 200'000U);
}

TEST(GeneratorThreads, FollowsItsConsumerFromThreadToThread) {
  asio::thread_pool pool{4};
  const auto hops = [](int n) -> generator<int> {
    for (int i = 1; i <= n; ++i) {
      co_await asio::post(asio::use_awaitable);
      co_yield i;
    }
  };
  const auto sum = [](generator<int> g) -> awaitable<int> {
    int s = 0;
    while (auto item = co_await g.next()) {
      s += *item;
      co_await asio::post(asio::use_awaitable);
    }
    co_return s;
  };
  EXPECT_EQ(asio::co_spawn(pool, sum(hops(1000)), asio::use_future).get(), 500'500);
}

}  // namespace
}  // namespace dspu::aio
