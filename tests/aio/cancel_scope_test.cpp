#include "dspu/aio/detail/cancel_scope.hpp"

#include "dspu/aio/detail/serial.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

namespace dspu::aio::detail {
namespace {

using namespace std::chrono_literals;
using test::task;

awaitable<void> ready() { co_return; }
awaitable<void> yield() { co_await asio::post(asio::use_awaitable); }
awaitable<void> hang() {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer forever(executor, 1h);
  co_await forever.async_wait(asio::use_awaitable);
}

// Completes inside its own initiation, which it should not.
awaitable<void> at_once() {
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>([](auto handler) { std::move(handler)(); },
                                                                      asio::use_awaitable);
}

// Every kind of ground that a coroutine may run on.
struct ScopeWallClock : ::testing::TestWithParam<const char*> {
  asio::io_context one{1};
  asio::io_context many;
  asio::thread_pool pool{3};

  asio::any_io_executor ground() {
    const std::string name = GetParam();
    if (name == "one_thread") return one.get_executor();
    if (name == "strand") return asio::make_strand(many);
    if (name == "lane") return make_lane(many.get_executor());
    if (name == "pool") return pool.get_executor();
    if (name == "unknown") {
      return asio::require(many.get_executor(), asio::execution::allocator(asio::recycling_allocator<void>()));
    }
    return many.get_executor();
  }
  bool on_pool() const { return GetParam() == std::string("pool"); }
  void run(task& t) {
    if (on_pool()) {
      pool.join();
    } else {
      one.run();
      many.run();
    }
    if (t.error()) std::rethrow_exception(t.error());
    EXPECT_TRUE(t.succeeded());
  }
};

TEST_P(ScopeWallClock, RunsOnAnExecutorThatIsSerialAndGivesTheOldOneBack) {
  const auto executor = ground();
  const auto look = [&]() -> awaitable<void> {
    const auto before = co_await asio::this_coro::executor;
    co_await yield();
    const auto after = co_await asio::this_coro::executor;
    EXPECT_TRUE(is_serial(before));
    EXPECT_TRUE(before == after);
  };
  const auto body = [&]() -> awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      co_await run_with_timeout(look(), 1h);
      const auto after_look = co_await asio::this_coro::executor;
      EXPECT_TRUE(after_look == executor);
      co_await run_with_timeout(ready(), 1h);
      const auto after_ready = co_await asio::this_coro::executor;
      EXPECT_TRUE(after_ready == executor);
    }
  };
  task t(executor, body());
  run(t);
}

TEST_P(ScopeWallClock, IsAsGoodAsNewAfterAnExpiry) {
  const auto body = []() -> awaitable<void> {
    for (int i = 0; i < 5; ++i) {
      bool expired = false;
      try {
        co_await run_with_timeout(hang(), 1ms);
      } catch (const async_timeout_error&) {
        expired = true;
      }
      EXPECT_TRUE(expired);
      co_await run_with_timeout(yield(), 1h);
    }
  };
  task t(ground(), body());
  run(t);
}

TEST_P(ScopeWallClock, SurvivesAnOperationThatPutsAnotherCancellationStateInItsPlace) {
  const auto reset = []() -> awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await yield();
  };
  const auto body = [&]() -> awaitable<void> {
    co_await run_with_timeout(reset(), 1h);
    bool expired = false;
    try {
      co_await run_with_timeout(hang(), 1ms);
    } catch (const async_timeout_error&) {
      expired = true;
    }
    EXPECT_TRUE(expired);
  };
  task t(ground(), body());
  run(t);
}

TEST_P(ScopeWallClock, GoesOnWhenAnOperationCompletesInsideItsInitiation) {
  const auto twice = []() -> awaitable<void> {
    co_await at_once();
    co_await at_once();
  };
  const auto body = [&]() -> awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      co_await run_with_timeout(twice(), 1h);
      co_await run_with_timeout(yield(), 1h);
    }
  };
  task t(ground(), body());
  run(t);
}

TEST_P(ScopeWallClock, NestsWithoutMixingUpWhoIsToBlame) {
  const auto body = []() -> awaitable<void> {
    std::string blamed;
    try {
      auto inner = run_with_timeout(hang(), 1h);
      co_await run_with_timeout(std::move(inner), 1ms);
    } catch (const async_timeout_error& e) {
      blamed = e.timeout() == 1ms ? "outer" : "inner";
    }
    EXPECT_EQ(blamed, "outer");
    try {
      auto inner = run_with_timeout(hang(), 1ms);
      co_await run_with_timeout(std::move(inner), 1h);
    } catch (const async_timeout_error& e) {
      blamed = e.timeout() == 1ms ? "inner" : "outer";
    }
    EXPECT_EQ(blamed, "inner");
  };
  task t(ground(), body());
  run(t);
}

INSTANTIATE_TEST_SUITE_P(Grounds, ScopeWallClock, ::testing::Values("one_thread", "strand", "lane", "several_threads", "pool", "unknown"),
                         [](const auto& of) { return std::string(of.param); });

TEST(CancelScope, PassesOnACancellationThatCameWhileTheOperationRan) {
  for (const int hint : {1, BOOST_ASIO_CONCURRENCY_HINT_DEFAULT}) {
    asio::io_context context(hint);
    task* self = nullptr;
    const auto cancels_itself = [&]() -> awaitable<void> {
      self->cancel();
      co_await hang();
    };
    const auto body = [&]() -> awaitable<void> { co_await run_with_timeout(cancels_itself(), 1h); };
    task t(context.get_executor(), body());
    self = &t;
    context.run();
    EXPECT_TRUE(t.aborted());
  }
}

TEST(CancelScope, LeavesNothingBehindWhenItsContextIsDestroyed) {
  bool destroyed = false;
  struct notice {
    bool& told;
    ~notice() { told = true; }
  };
  for (const int hint : {1, BOOST_ASIO_CONCURRENCY_HINT_DEFAULT}) {
    destroyed = false;
    {
      asio::io_context context(hint);
      const auto body = [&]() -> awaitable<void> {
        const notice n{destroyed};
        co_await run_with_timeout(hang(), 1h);
      };
      asio::co_spawn(context, body(), [](std::exception_ptr) {});
      context.poll();
    }
    EXPECT_TRUE(destroyed);
  }
}

awaitable<void> yields(int n) {
  for (int i = 0; i < n; ++i) co_await yield();
}

// Calls that end, expire, and both at once, on several threads: what the sanitizers look at.
TEST(CancelScopeWallClock, KeepsExpiriesAndOperationsApartOnAPool) {
  std::atomic<int> ended{0};
  std::atomic<int> expired{0};
  constexpr int calls = 300;
  const auto body = [&](int k) -> awaitable<void> {
    for (int i = 0; i < calls; ++i) {
      try {
        auto op = i % 5 == 0 ? hang() : yields((i * 7 + k) % 40);
        co_await run_with_timeout(std::move(op), std::chrono::microseconds{1 + (i * 13 + k) % 90});
        ++ended;
      } catch (const async_timeout_error&) {
        ++expired;
      }
    }
  };
  asio::thread_pool pool(4);
  std::vector<std::future<void>> all;
  for (int k = 0; k < 16; ++k) all.push_back(asio::co_spawn(pool, body(k), asio::use_future));
  for (auto& f : all) f.get();
  EXPECT_EQ(ended + expired, 16 * calls);
  EXPECT_GE(expired, 16 * calls / 5);
}

}  // namespace
}  // namespace dspu::aio::detail
