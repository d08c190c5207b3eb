// A retry that was charged to its budget and then not made, because its call was cancelled in the instant in which the pause
// ended, was not refunded, and the last real error was lost. Whatever is granted and not begun goes back.
#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::manual_timer;
using testing::simulator;
using breaker = basic_circuit_breaker<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;
using hedge_m = basic_hedge<manual_clock>;

awaitable<void> nap(duration d) {
  manual_timer timer(co_await asio::this_coro::executor, d);
  co_await timer.async_wait(asio::use_awaitable);
}

// Everything that a call can be granted, one of each.
struct granted {
  retry_budget budget{{.ttl = 60s, .min_retries_per_second = 1.0 / 60, .retries_per_call = 0}};
  retry_m again{{.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none, .budget = &budget}};
  limiter_m limiter{{.rate = 1, .per = 1h, .capacity = 2}};
  bulkhead narrow{{.limit = 1, .max_queue = 1}};
  basic_adaptive_concurrency<manual_clock> width{{.initial = 1, .max = 1, .max_queue = 1}};
  breaker half{{.failure_threshold = 100, .success_threshold = 1}};
  int attempts = 0;

  double budget_left() { return budget.balance(core::instant_of(manual_clock::now())); }
  // Takes a millisecond, and fails.
  awaitable<int> fail() {
    ++attempts;
    auto sleeping = nap(1ms);
    co_await std::move(sleeping);
    throw std::domain_error("real");
  }
};

enum class ends_by { cancellation, timeout, destruction };

// How the call is put together.
template <class Policy>
awaitable<void> call_through(granted& g, Policy policy) {
  const auto once = [&g] { return g.fail(); };
  co_await policy.call(once);
}

struct RetryNotBegun : ::testing::Test {
  granted g;  // outlives the event loop
  std::optional<simulator> sim{std::in_place};
  std::optional<test::task> task;

  // The pause ends at 1,001 ms. The cancellation is armed before it or after, for that instant or the one before.
  template <class Start>
  void cancel_at_the_end_of_the_pause(Start start, bool armed_first, duration before) {
    const auto cancel = [this] { task->cancel(); };
    if (armed_first) sim->at(1001ms - before, cancel);
    task.emplace(*sim, start());
    sim->run_until(500ms);
    if (!armed_first) sim->at(1001ms - before, cancel);
    sim->run_until(2s);
    ASSERT_TRUE(task->done());
    EXPECT_EQ(g.budget_left(), g.attempts == 2 ? 0 : 1);
    if (g.attempts == 2) return;
    ASSERT_TRUE(task->failed_with<cancelled_error>());
    try {
      std::rethrow_exception(task->error());
    } catch (const cancelled_error& e) {
      EXPECT_TRUE(test::holds<std::domain_error>(e.last_error()));
    }
  }
  template <class Policy>
  void try_all(Policy policy) {
    for (const bool first : {true, false}) {
      for (const duration before : {duration{0}, duration{1ns}}) {
        SCOPED_TRACE(first);
        g.budget.reconfigure(g.budget.options());
        g.attempts = 0;
        sim.emplace();
        cancel_at_the_end_of_the_pause([&] { return call_through(g, policy); }, first, before);
        task.reset();
        sim->run_for(2min);  // the budget forgets
      }
    }
  }
};

TEST_F(RetryNotBegun, IsRefundedWhenCancelledAsThePauseEnds) { try_all(g.again); }
TEST_F(RetryNotBegun, IsRefundedInARowWhenCancelledAsThePauseEnds) { try_all(pipe(g.again)); }
TEST_F(RetryNotBegun, IsRefundedInsideATimeoutWhenCancelledAsThePauseEnds) { try_all(timeout_m(1h) | g.again); }

TEST_F(RetryNotBegun, IsRefundedWhenTheTimeIsOverAsThePauseEnds) {
  // It could just have ended in time, so that it is not refused at once.
  const auto row = timeout_m(1001ms + 1ns) | g.again;
  EXPECT_THROW(sim->run(row.call([this] { return g.fail(); })), std::exception);
  EXPECT_EQ(g.budget_left(), g.attempts == 2 ? 0 : 1);
}

TEST_F(RetryNotBegun, IsRefundedWhenDestroyedInThePause) {
  task.emplace(*sim, call_through(g, g.again));
  sim->run_until(500ms);
  EXPECT_EQ(g.budget_left(), 0);
  sim.reset();
  EXPECT_EQ(g.budget_left(), 1);
}

// Past the pause, but in the line of a policy further in.
TEST_F(RetryNotBegun, IsRefundedWhenItsCallEndsInALineInside) {
  for (const auto how : {ends_by::cancellation, ends_by::timeout, ends_by::destruction}) {
    SCOPED_TRACE(static_cast<int>(how));
    granted fresh;
    sim.emplace();
    const auto row = timeout_m(how == ends_by::timeout ? 2s : 1h) | fresh.again | fresh.narrow;
    task.emplace(*sim, call_through(fresh, row));
    sim->run_until(500ms);
    test::task other(*sim, [](bulkhead& b) -> awaitable<void> {
      const auto forever = [] { return nap(10h); };
      co_await b.call(forever);
    }(fresh.narrow));
    sim->run_until(1500ms);
    EXPECT_EQ(fresh.budget_left(), 0);
    EXPECT_EQ(fresh.narrow.waiting(), 1);
    if (how == ends_by::cancellation) task->cancel();
    if (how == ends_by::destruction) {
      sim.reset();
    } else {
      sim->run_until(3s);
    }
    EXPECT_EQ(fresh.attempts, 1);
    EXPECT_EQ(fresh.budget_left(), 1);
    sim.reset();  // what is left in it knows `fresh`
    task.reset();
  }
}

// A token, a place, a probe, and then a line in which the call ends.
TEST(GrantedAndNotBegun, GoesBackHoweverTheCallEnds) {
  for (const auto how : {ends_by::cancellation, ends_by::timeout, ends_by::destruction}) {
    SCOPED_TRACE(static_cast<int>(how));
    granted g;
    bulkhead taken{{.limit = 1, .max_queue = 1}};
    std::optional<simulator> sim{std::in_place};
    g.half.open_until(manual_clock::now());
    const auto limit = timeout_m(how == ends_by::timeout ? 2s : 1h);
    const auto row = limit | g.limiter | g.narrow | g.width | g.half | taken;
    test::task other(*sim, [](bulkhead& b) -> awaitable<void> {
      const auto forever = [] { return nap(10h); };
      co_await b.call(forever);
    }(taken));
    test::task waits(*sim, call_through(g, row));
    sim->run_until(1s);
    EXPECT_NEAR(g.limiter.tokens(), 1, 0.001);
    EXPECT_EQ(g.narrow.in_flight(), 1);
    EXPECT_EQ(g.width.in_flight(), 1);
    EXPECT_FALSE(g.half.try_permit());
    if (how == ends_by::cancellation) waits.cancel();
    if (how == ends_by::destruction) {
      sim.reset();
    } else {
      sim->run_until(3s);
    }
    EXPECT_EQ(g.attempts, 0);
    EXPECT_NEAR(g.limiter.tokens(), 2, 0.01);
    EXPECT_EQ(g.narrow.in_flight(), 0);
    EXPECT_EQ(g.width.in_flight(), 0);
    EXPECT_TRUE(g.half.try_permit());
  }
}

// The same instant grants the place and cancels the call.
TEST(GrantedAndNotBegun, GoesBackWhenCancelledInTheInstantOfTheGrant) {
  for (const bool cancelled_first : {true, false}) {
    SCOPED_TRACE(cancelled_first);
    granted g;
    simulator sim;
    const auto row = g.limiter | g.narrow;
    std::optional<test::task> waits;
    const auto cancel = [&] { waits->cancel(); };
    test::task other(sim, [](bulkhead& b) -> awaitable<void> {
      const auto a_second = [] { return nap(1s); };
      co_await b.call(a_second);
    }(g.narrow));
    sim.run_until(1ms);
    if (cancelled_first) sim.at(1s, cancel);
    waits.emplace(sim, call_through(g, row));
    sim.run_until(10ms);
    if (!cancelled_first) sim.at(1s, cancel);
    sim.run_until(2s);
    EXPECT_TRUE(waits->done());
    EXPECT_EQ(g.narrow.in_flight(), 0);
    EXPECT_NEAR(g.limiter.tokens(), g.attempts == 0 ? 2 : 1, 0.01);
  }
}

// A hedge's attempt that was paid for and never came to its operation.
TEST(GrantedAndNotBegun, OfAHedgeGoesBackToItsBudget) {
  for (const auto how : {ends_by::cancellation, ends_by::timeout, ends_by::destruction}) {
    SCOPED_TRACE(static_cast<int>(how));
    granted g;
    hedge_m twice{{.delay = 100ms, .budget = &g.budget}};
    std::optional<simulator> sim{std::in_place};
    int begun = 0;
    const auto row = timeout_m(how == ends_by::timeout ? 2s : 1h) | twice | g.narrow;
    const auto body = [&]() -> awaitable<void> {
      const auto slow = [&] {
        ++begun;
        return nap(1h);
      };
      co_await row.call(slow);
    };
    test::task call(*sim, body());
    sim->run_until(1s);
    EXPECT_EQ(g.narrow.waiting(), 1);
    EXPECT_EQ(g.budget_left(), 0);
    if (how == ends_by::cancellation) call.cancel();
    if (how == ends_by::destruction) {
      sim.reset();
    } else {
      sim->run_until(3s);
    }
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(g.budget_left(), 1);
  }
}

TEST(GrantedAndNotBegun, OfAHedgeThatLostGoesBackToItsBudget) {
  granted g;
  hedge_m twice{{.delay = 100ms, .budget = &g.budget}};
  simulator sim;
  const auto row = twice | g.narrow;
  sim.run(row.call([] { return nap(1s); }));
  EXPECT_EQ(g.budget_left(), 1);
}

// Called by a coroutine that is cancelled already: nothing begins.
TEST(GrantedAndNotBegun, GoesBackInACallThatIsCancelledBeforeItBegins) {
  granted g;
  simulator sim;
  const auto body = [&]() -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    try {
      auto sleeping = nap(1h);
      co_await std::move(sleeping);
    } catch (const boost::system::system_error&) {
    }
    co_await asio::this_coro::throw_if_cancelled(true);
    auto called = g.limiter.call([&g] { return g.fail(); });
    co_await std::move(called);
  };
  test::task t(sim, body());
  sim.run_for(1s);
  t.cancel();
  sim.run_for(0s);
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(g.attempts, 0);
  EXPECT_NEAR(g.limiter.tokens(), 2, 0.01);
}

}  // namespace
}  // namespace dspu::aio
