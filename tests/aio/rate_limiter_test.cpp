#include "dspu/aio/rate_limiter.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <gtest/gtest.h>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;
using ::testing::ElementsAre;

struct RateLimiter : ::testing::Test {
  simulator sim;
  std::vector<int> order;
  std::list<test::task> tasks;

  // Acquires n and notes `id`.
  awaitable<void> take(limiter& l, double n, int id) {
    co_await l.acquire(n);
    order.push_back(id);
  }
  test::task& start(limiter& l, double n, int id) { return tasks.emplace_back(sim, take(l, n, id)); }
};

TEST_F(RateLimiter, StartsFullThenWaitsForEachToken) {
  limiter l{{.rate = 10, .capacity = 20}};
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(l.try_acquire());
  EXPECT_FALSE(l.try_acquire());
  EXPECT_DOUBLE_EQ(l.tokens(), 0);
  sim.run(l.acquire());
  EXPECT_EQ(sim.elapsed(), 100ms);
  sim.run(l.acquire(2.5));
  EXPECT_EQ(sim.elapsed(), 350ms);
}

TEST_F(RateLimiter, DoesNotTouchTheEventLoopWhileTokensLast) {
  limiter l{{.rate = 1000}};
  const auto all_at_once = [&]() -> awaitable<void> {
    for (int i = 0; i < 1000; ++i) co_await l.acquire();
  };
  asio::co_spawn(sim.context(), all_at_once(), asio::detached);
  EXPECT_EQ(sim.context().poll_one(), 1U) << "one handler: the start of the coroutine";
  EXPECT_FALSE(l.try_acquire());
}

TEST_F(RateLimiter, HoldsToItsPeriod) {
  limiter l{{.rate = 5, .per = 15s}};
  EXPECT_EQ(l.rate(), 5);
  EXPECT_EQ(l.per(), 15s);
  EXPECT_EQ(l.capacity(), 5);
  sim.run(l.acquire(5));
  sim.run(l.acquire());
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(RateLimiter, ServesInOrderOfArrivalWhateverTheAmounts) {
  limiter l{{.rate = 1, .capacity = 5.0}};
  l.try_acquire(5);
  start(l, 5, 1);
  for (int id = 2; id <= 4; ++id) start(l, 1, id);
  sim.run_until(4999ms);
  EXPECT_TRUE(order.empty()) << "the small ones do not overtake";
  EXPECT_EQ(l.waiters(), 4U);
  sim.run();
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(sim.elapsed(), 8s);
}

TEST_F(RateLimiter, NeverLetsATryBargeIn) {
  limiter l{{.rate = 1, .capacity = 3.0}};
  l.try_acquire(3);
  start(l, 3, 1);
  sim.run_until(2500ms);
  EXPECT_GE(l.tokens(), 2);
  EXPECT_FALSE(l.try_acquire(1));
  sim.run();
  EXPECT_THAT(order, ElementsAre(1));
  sim.run_for(1s);
  EXPECT_TRUE(l.try_acquire(1));
}

TEST_F(RateLimiter, LetsThoseBehindACancelledWaiterMoveUp) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  auto& large = start(l, 10, 1);
  start(l, 1, 2);
  auto& middle = start(l, 1, 3);
  start(l, 1, 4);
  sim.run_until(500ms);
  large.cancel();
  middle.cancel();
  sim.run_until(500ms);
  sim.run_for(0s);
  sim.run();
  EXPECT_TRUE(large.aborted());
  EXPECT_TRUE(middle.aborted());
  EXPECT_THAT(order, ElementsAre(2, 4));
  EXPECT_EQ(sim.elapsed(), 2s) << "the cancelled took nothing";
  EXPECT_EQ(l.waiters(), 0U);
}

TEST_F(RateLimiter, HonoursEveryTypeOfCancellationOfTheBareOperation) {
  for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                          asio::cancellation_type::total}) {
    limiter l{{.rate = 1, .capacity = 1.0}};
    l.try_acquire();
    asio::cancellation_signal signal;
    std::optional<error_code> ended;
    l.async_acquire(1, asio::bind_executor(sim.get_executor(),
                                           asio::bind_cancellation_slot(signal.slot(), [&](error_code ec) { ended = ec; })));
    sim.run_for(1ms);
    EXPECT_FALSE(ended);
    signal.emit(type);
    EXPECT_FALSE(ended) << "completes through the executor";
    sim.run_for(0ms);
    sim.run();
    EXPECT_EQ(ended, asio::error::operation_aborted);
  }
}

TEST_F(RateLimiter, CompletesExactlyOnceWhenCancelAndGrantMeet) {
  for (const bool cancel_first : {true, false}) {
    limiter l{{.rate = 1, .capacity = 1.0}};
    l.try_acquire();
    order.clear();
    auto& waiter = start(l, 1, 1);
    sim.run_for(0s);
    const auto due = sim.elapsed() + 1s;
    if (cancel_first) {
      sim.at(due - 1ns, [&] { waiter.cancel(); });
    } else {
      sim.at(due, [&] { waiter.cancel(); });
    }
    sim.run_until(due);
    EXPECT_TRUE(waiter.done());
    EXPECT_EQ(l.try_acquire(), !waiter.succeeded()) << "the token went to the waiter or stayed, never both";
  }
}

TEST_F(RateLimiter, RefusesImpossibleAmounts) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  for (const double n : {0.0, -1.0, 10.001, std::nan("")}) {
    EXPECT_THROW(l.try_acquire(n), std::invalid_argument) << n;
    EXPECT_THROW(sim.run(l.acquire(n)), std::invalid_argument) << n;
    EXPECT_THROW(l.async_acquire(n, asio::detached), std::invalid_argument) << n;
  }
  try {
    l.try_acquire(11);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "rate_limiter.acquire's n is 11; must be above 0 and at most the capacity, 10.000000");
  }
  EXPECT_DOUBLE_EQ(l.tokens(), 10);
}

TEST_F(RateLimiter, RefusesBadOptions) {
  EXPECT_THROW(limiter({.rate = 0}), std::invalid_argument);
  EXPECT_THROW(limiter({.rate = 1, .wake_interval = -1ns}), std::invalid_argument);
}

// What a wait bounded by `within` from now fails with.
template <class Acquire>
deadline_error refused(simulator& sim, Acquire acquire) {
  try {
    sim.run(acquire());
  } catch (const deadline_error& e) {
    return e;
  }
  ADD_FAILURE() << "not refused";
  return {0s, 0s};
}

TEST_F(RateLimiter, RefusesAtOnceAWaitThatWouldOutlastItsDeadline) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  start(l, 3, 1);
  start(l, 2, 2);
  sim.run_for(500ms);
  const auto by = [&](duration d) { return acquire_options{.deadline = core::instant_of(sim.now() + d)}; };
  const auto e = refused(sim, [&] { return l.acquire(2, by(6500ms - 1ns)); });
  EXPECT_EQ(e.needed(), 6500ms) << "3 and 2 wait in front";
  EXPECT_EQ(e.remaining(), 6500ms - 1ns);
  EXPECT_EQ(sim.elapsed(), 500ms);
  EXPECT_EQ(l.waiters(), 2U);
  sim.run(l.acquire(2, by(6500ms)));
  EXPECT_EQ(sim.elapsed(), 7s) << "to the nanosecond; the refused one took nothing";
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_F(RateLimiter, RefusesADeadlineThatHasPassedThoughTokensAreThere) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  const auto now = core::instant_of(sim.now());
  const auto e = refused(sim, [&] { return l.acquire(1, {.deadline = now - 1s}); });
  EXPECT_EQ(e.needed(), 0s);
  EXPECT_EQ(e.remaining(), 0s);
  EXPECT_EQ(l.tokens(), 10);
  sim.run(l.acquire(10, {.deadline = now}));
  EXPECT_EQ(refused(sim, [&] { return l.acquire(1, {.deadline = now}); }).needed(), 1s);
}

TEST_F(RateLimiter, SaysForeverOfAWaitThatHasNoEnd) {
  limiter l{{.rate = 1e-10, .capacity = 1.0}};
  l.try_acquire();
  const auto later = core::instant_of(sim.now() + 1h);
  EXPECT_EQ(refused(sim, [&] { return l.acquire(1, {.deadline = later}); }).needed(), duration::max());
}

TEST_F(RateLimiter, BoundsTheWaitsOfCallsAndBareOperationsAlike) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  const acquire_options soon{.deadline = core::instant_of(sim.now() + 999ms)};
  const acquire_options later{.deadline = core::instant_of(sim.now() + 1s)};
  const auto op = []() -> awaitable<int> { co_return 7; };
  refused(sim, [&] { return l.call(soon, op); });
  std::optional<error_code> ended;
  const auto note = [&](error_code ec) { ended = ec; };
  l.async_acquire(1, soon, asio::bind_executor(sim.get_executor(), note));
  EXPECT_FALSE(ended) << "completes through the executor";
  sim.run();
  EXPECT_EQ(ended, errc::would_exceed_deadline);
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_EQ(sim.run(l.call(later, op)), 7);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(RateLimiter, BoundsItsLine) {
  limiter l{{.rate = 1, .capacity = 1.0, .max_waiters = 2}};
  l.try_acquire();
  start(l, 1, 1);
  start(l, 1, 2);
  auto& third = start(l, 1, 3);
  sim.run();
  EXPECT_TRUE(third.failed_with<queue_full_error>());
  EXPECT_THAT(order, ElementsAre(1, 2));

  limiter none{{.rate = 1, .capacity = 1.0, .max_waiters = 0}};
  none.try_acquire();
  EXPECT_THROW(sim.run(none.acquire()), queue_full_error);
  sim.run_for(1s);
  EXPECT_TRUE(none.try_acquire()) << "the line is open again";
}

TEST_F(RateLimiter, WakesTheLineAtMostOnceAnIntervalWithoutLosingRate) {
  limiter l{{.rate = 200'000, .capacity = 1.0, .wake_interval = 100us}};
  l.try_acquire();
  for (int id = 0; id < 2000; ++id) start(l, 1, id);
  sim.run();
  EXPECT_EQ(order.size(), 2000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_GE(sim.elapsed(), 10ms);
  EXPECT_LE(sim.elapsed(), 10ms + 100us);
}

TEST_F(RateLimiter, WakesForEachWhenTheIntervalIsZero) {
  limiter l{{.rate = 200'000, .capacity = 1.0, .wake_interval = 0us}};
  l.try_acquire();
  start(l, 1, 1);
  start(l, 1, 2);
  sim.run();
  EXPECT_EQ(tasks.front().ended_at() - sim.now(), -5us);
  EXPECT_EQ(sim.elapsed(), 10us);
}

TEST_F(RateLimiter, ResumesInOrderAlsoThoseWhoFindTokensOnTheirSecondLook) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  start(l, 1, 1);
  sim.context().poll();           // 1 waits
  manual_clock::advance(2s);      // its token and another are there, but nobody has looked
  start(l, 1, 2);
  sim.run();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST_F(RateLimiter, ResumesAStrandsWaiterInItsStrand) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  const auto strand = asio::make_strand(sim.context());
  bool inside = false;
  const auto body = [&]() -> awaitable<void> {
    co_await l.acquire();
    inside = strand.running_in_this_thread();
  };
  start(l, 1, 1);
  tasks.emplace_back(strand, body());
  sim.run();
  EXPECT_TRUE(inside);
}

TEST_F(RateLimiter, AbortsItsWaitersWhenDestroyed) {
  std::optional<limiter> l{std::in_place, rate_limiter_options{.rate = 1, .capacity = 1.0}};
  l->try_acquire();
  auto& first = start(*l, 1, 1);
  auto& second = start(*l, 1, 2);
  sim.run_until(500ms);
  l.reset();
  sim.run();
  EXPECT_TRUE(first.aborted());
  EXPECT_TRUE(second.aborted());
}

TEST_F(RateLimiter, OutlivesAContextWhoseCoroutinesWait) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  struct destroyed {
    bool& flag;
    ~destroyed() { flag = true; }
  };
  bool gone = false;
  {
    asio::io_context doomed{1};
    const auto waits = [](limiter& shared, bool& flag) -> awaitable<void> {
      const destroyed guard{flag};
      co_await shared.acquire();
    };
    asio::co_spawn(doomed, waits(l, gone), asio::detached);
    doomed.poll();
    start(l, 1, 7);
    sim.run_until(100ms);
    EXPECT_EQ(l.waiters(), 2U);
  }
  EXPECT_TRUE(gone);
  EXPECT_EQ(l.waiters(), 1U);
  sim.run();
  EXPECT_THAT(order, ElementsAre(7));
  EXPECT_EQ(sim.elapsed(), 1s) << "the line was planned anew when its head died";
}

TEST_F(RateLimiter, StopsAtOnceIfTheCallerIsCancelledAlready) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  bool aborted = false;
  const auto stubborn = [&]() -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    manual_clock::time_point never = manual_clock::time_point::max();
    testing::manual_timer timer(co_await asio::this_coro::executor, never);
    error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    try {
      co_await l.acquire();
    } catch (const boost::system::system_error& e) {
      aborted = e.code() == asio::error::operation_aborted;
    }
  };
  auto& t = tasks.emplace_back(sim, stubborn());
  sim.run_for(0s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(aborted);
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST_F(RateLimiter, CallsAndDecorates) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  const auto twice = [](int x) -> awaitable<int> { co_return 2 * x; };
  EXPECT_EQ(sim.run(l.call(twice, 4)), 8);
  const auto polite = l(twice);
  EXPECT_EQ(sim.run(polite(21)), 42);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(RateLimiter, PassesMoveOnlyArgumentsAndResults) {
  limiter l{{.rate = 1}};
  const auto same = [](std::unique_ptr<int> p) -> awaitable<std::unique_ptr<int>> { co_return p; };
  EXPECT_EQ(*sim.run(l.call(same, std::make_unique<int>(5))), 5);
}

TEST_F(RateLimiter, TakesBackATokenWhoseTakerIsDestroyedBeforeItHears) {
  limiter l{{.rate = 1, .capacity = 2.0}};
  {
    asio::io_context doomed{1};
    l.async_acquire(2, asio::bind_executor(doomed.get_executor(), [](error_code) { FAIL() << "never runs"; }));
    EXPECT_EQ(l.tokens(), 0);
    start(l, 1, 7);
    sim.run_for(0s);
    EXPECT_EQ(l.waiters(), 1U);
  }
  sim.run_for(0s);
  EXPECT_THAT(order, ElementsAre(7)) << "those in line move up";
  EXPECT_EQ(l.tokens(), 1);
}

TEST_F(RateLimiter, TakesBackTheTokenOfACallThatIsCancelledBeforeItRuns) {
  limiter l{{.rate = 1, .capacity = 2.0}};
  l.try_acquire(2);
  asio::io_context elsewhere{1};
  start(l, 1, 1);  // the head of the line, on the simulator: its wake posts to the other loop
  sim.run_for(0s);
  bool ran = false;
  const auto body = [&]() -> awaitable<void> {
    const auto op = [&ran]() -> awaitable<void> {
      ran = true;
      co_return;
    };
    co_await l.call(op);
  };
  test::task second(elsewhere.get_executor(), body());
  elsewhere.poll();
  second.cancel();            // posted to its loop, and after it:
  manual_clock::advance(2s);  // both are due in one wake, the simulator's
  sim.run_for(0s);
  ASSERT_EQ(l.waiters(), 0U) << "granted, and posted to its loop";
  elsewhere.restart();
  elsewhere.poll();
  EXPECT_TRUE(second.aborted());
  EXPECT_FALSE(ran);
  EXPECT_TRUE(l.try_acquire());
}

TEST_F(RateLimiter, DoesNotFloodAfterAStalledLoop) {
  limiter l{{.rate = 1000, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 0; id < 100; ++id) start(l, 1, id);
  sim.context().poll();
  manual_clock::advance(1h);  // nobody looked for an hour
  sim.context().restart();
  sim.context().poll();
  EXPECT_LE(order.size(), 12U) << "capacity and 10 ms of rate";
  sim.run();
  EXPECT_EQ(order.size(), 100U);
}

// A busy loop does not get to its timers; the tokens of those in line are not lost as long as others come by.
TEST_F(RateLimiter, LetsTheDueGoWhoeverComes) {
  limiter l{{.rate = 1000, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 0; id < 100; ++id) {
    l.async_acquire(1, asio::bind_executor(sim.get_executor(), [this, id](error_code) { order.push_back(id); }));
    manual_clock::advance(5ms);
  }
  sim.context().poll();
  EXPECT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(RateLimiter, LetsTheDueGoWhileTheLoopIsBusyResuming) {
  limiter l{{.rate = 150, .capacity = 1.0}};
  l.try_acquire();
  std::size_t then = 0;  // in line when all are through whom newcomers let go
  for (int id = 0; id < 100; ++id) {
    l.async_acquire(1, asio::bind_executor(sim.get_executor(), [&, id](error_code) {
      order.push_back(id);
      manual_clock::advance(7ms);
      if (order.size() == 74) then = l.waiters();
    }));
    manual_clock::advance(5ms);
  }
  EXPECT_EQ(l.waiters(), 26U);
  sim.context().poll();
  EXPECT_EQ(order.size(), 100U);
  EXPECT_EQ(then, 0U);
}

}  // namespace
}  // namespace dspu::aio
