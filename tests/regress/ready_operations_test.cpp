// A loop of ours around operations that are always ready never let the event loop go on: neither a cancellation nor a timer
// could end it.
#include "dspu/aio/as_completed.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/aio/generator.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <limits>
#include <ranges>
#include <stdexcept>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

constexpr int enough = 1'000'000;

class ReadyOperations : public ::testing::TestWithParam<int> {
 protected:
  testing::simulator sim{1, GetParam()};
  int calls = 0;

  awaitable<int> ready(int i) {
    if (++calls == enough) throw std::logic_error("the event loop never got its turn");
    co_return i;
  }

  // Cancels it by a function that is ready by the time it begins.
  void run_and_cancel(awaitable<void> body) {
    std::optional<test::task> t;
    t.emplace(sim, std::move(body));
    asio::post(sim.context(), [&] { asio::post(sim.context(), [&] { t->cancel(); }); });
    sim.run();
    EXPECT_TRUE(t->aborted());
    EXPECT_LT(calls, enough);
  }
};

awaitable<void> drop(awaitable<std::vector<int>> op) { co_await std::move(op); }

TEST_P(ReadyOperations, OfAGatherCanBeCancelled) {
  const auto op = [this](int i) { return ready(i); };
  run_and_cancel(drop(map_with_limit(std::views::iota(0), op, {.limit = 3})));
}

TEST_P(ReadyOperations, OfAGatherWithoutALimitCanBeCancelled) {
  const auto op = [this](int i) { return ready(i); };
  run_and_cancel(drop(map_with_limit(std::views::iota(0), op, {.limit = std::numeric_limits<std::int64_t>::max()})));
}

TEST_P(ReadyOperations, OfAStreamCanBeCancelled) {
  const auto body = [](auto op) -> awaitable<void> {
    auto stream = map_as_completed(std::views::iota(0), op, {.limit = std::numeric_limits<std::int64_t>::max()});
    while (co_await stream.next()) {
    }
  };
  run_and_cancel(body([this](int i) { return ready(i); }));
}

generator<int> count(int& calls) {
  for (;;) {
    if (++calls == enough) throw std::logic_error("the event loop never got its turn");
    co_yield calls;
  }
}

TEST_P(ReadyOperations, OfAGeneratorCanBeCancelled) {
  const auto body = [](int* n) -> awaitable<void> {
    auto numbers = count(*n);
    while (co_await numbers.next()) {
    }
  };
  run_and_cancel(body(&calls));
}

INSTANTIATE_TEST_SUITE_P(OnContexts, ReadyOperations, ::testing::Values(1, BOOST_ASIO_CONCURRENCY_HINT_DEFAULT),
                         [](const auto& i) { return i.param == 1 ? "OfOneThread" : "OfSeveral"; });

// Those that suspend lose nothing: no turn of the loop is theirs but those they take.
TEST(OperationsThatSuspend, TakeNoMoreTurnsOfTheLoopThanTheyNeed) {
  testing::simulator sim;
  const auto yields = [](int i) -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return i;
  };
  test::task t(sim, drop(map_with_limit(std::views::iota(0, 1000), yields, {.limit = 1})));
  std::size_t turns = 0;
  while (!t.done()) turns += sim.context().poll_one();
  EXPECT_LE(turns, 1005U);
}

}  // namespace
}  // namespace dspu::aio
