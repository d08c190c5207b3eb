#include "dspu/aio/sync_to_async.hpp"

#include "dspu/aio/detail/pool_load.hpp"
#include "dspu/aio/run_async.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::simulator;

// fn is taken over, so that no temporary of it lives in a co_await.
template <class F>
awaitable<void> call_on(asio::thread_pool& pool, F fn) {
  co_await sync_to_async(pool, std::move(fn));
}

struct SyncToAsync : ::testing::Test {
  simulator sim;
};

TEST_F(SyncToAsync, RunsOnAnotherThreadAndComesBackToTheCallersExecutor) {
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  const auto body = [&]() -> awaitable<void> {
    there = co_await sync_to_async([] { return std::this_thread::get_id(); });
    EXPECT_EQ(std::this_thread::get_id(), here);
  };
  sim.run(body());
  EXPECT_NE(there, here);
}

TEST_F(SyncToAsync, SizesTheDefaultPoolByTheCores) {
  EXPECT_EQ(default_pool_size(), std::min(32U, std::thread::hardware_concurrency() + 4));
  EXPECT_EQ(asio::query(default_pool().get_executor(), asio::execution::occupancy), default_pool_size());
}

TEST_F(SyncToAsync, MovesArgumentsAndResults) {
  const auto bump = [](std::unique_ptr<int> p) {
    ++*p;
    return p;
  };
  EXPECT_EQ(*sim.run(sync_to_async(bump, std::make_unique<int>(6))), 7);
  auto held = [p = std::make_unique<int>(3)] { return *p; };
  EXPECT_EQ(sim.run(sync_to_async(std::move(held))), 3);
  int counter = 0;
  sim.run(sync_to_async([](int& n) { ++n; }, std::ref(counter)));
  EXPECT_EQ(counter, 1);
}

TEST_F(SyncToAsync, RethrowsWhateverTheFunctionThrows) {
  EXPECT_THROW(sim.run(sync_to_async([] { throw std::runtime_error("no"); })), std::runtime_error);
  EXPECT_THROW(sim.run(sync_to_async([]() -> int { throw 42; })), int);
  EXPECT_EQ(sim.run(sync_to_async([] { return 1; })), 1);
}

TEST_F(SyncToAsync, DecoratesFunctions) {
  asio::thread_pool pool{1};
  const auto length = make_async([](const std::string& s) { return s.size(); });
  const auto sum = make_async(pool, [](int a, int b) { return a + b; });
  EXPECT_EQ(sim.run(length(std::string("four"))), 4U);
  EXPECT_EQ(sim.run(sum(40, 2)), 42);
}

TEST_F(SyncToAsync, HoldsVirtualTimeWhileTheFunctionRuns) {
  const auto body = [&]() -> awaitable<duration> {
    co_await sync_to_async([] { std::this_thread::yield(); });
    co_return sim.elapsed();
  };
  sim.at(1h, [] {});
  EXPECT_EQ(sim.run(body()), 0s);
}

TEST_F(SyncToAsync, QueuesAThousandCallsOnOneThread) {
  asio::thread_pool pool{1};
  std::vector<int> order;  // the pool's one thread writes it
  int ended = 0;
  const auto call = [&](int i) -> awaitable<void> {
    const auto note = [&order, i] { order.push_back(i); };
    co_await sync_to_async(pool, note);
    ++ended;
  };
  for (int i = 0; i < 1000; ++i) sim.spawn(call(i));
  sim.run();
  EXPECT_EQ(ended, 1000);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 1000U);
}

// A function that blocks until it is let go, and what it leaves behind.
struct stuck_function {
  std::binary_semaphore entered{0};
  std::binary_semaphore let_go{0};
  std::promise<void> destroyed;

  auto make() {
    struct signals {
      stuck_function* f;
      explicit signals(stuck_function* s) : f(s) {}
      signals(signals&& o) noexcept : f(std::exchange(o.f, nullptr)) {}
      ~signals() {
        if (f != nullptr) f->destroyed.set_value();
      }
    };
    return [s = signals(this)] {
      s.f->entered.release();
      s.f->let_go.acquire();
      return 1;
    };
  }
};

TEST_F(SyncToAsync, ReturnsAtOnceWhenCancelledAndLeavesTheFunctionToItsEnd) {
  asio::thread_pool pool{1};
  stuck_function f;
  const auto destroyed = f.destroyed.get_future();
  test::task t(sim, call_on(pool, f.make()));
  sim.context().poll();
  f.entered.acquire();
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(destroyed.wait_for(0s), std::future_status::timeout) << "its captures live as long as it runs";
  f.let_go.release();
  pool.join();
  EXPECT_EQ(destroyed.wait_for(0s), std::future_status::ready);
}

TEST_F(SyncToAsync, FiresTheStopTokenOfACancelledCall) {
  asio::thread_pool pool{1};
  std::promise<void> entered;
  bool stopped = false;
  const auto wait = [&](std::stop_token token) {
    std::binary_semaphore fired{0};
    const std::stop_callback callback(token, [&] { fired.release(); });
    entered.set_value();
    fired.acquire();
    stopped = token.stop_requested();
  };
  test::task t(sim, call_on(pool, wait));
  sim.context().poll();
  entered.get_future().wait();
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  pool.join();
  EXPECT_TRUE(stopped);
}

TEST_F(SyncToAsync, NeverCallsAFunctionThatIsCancelledInTheQueue) {
  asio::thread_pool pool{1};
  stuck_function first;
  test::task busy(sim, call_on(pool, first.make()));
  sim.context().poll();
  first.entered.acquire();
  std::atomic<bool> called = false;
  auto token = std::make_shared<int>();
  const auto second = [&called, token] { called = true; };
  {
    test::task t(sim, call_on(pool, second));
    sim.context().poll();
    t.cancel();
    sim.context().poll();
    EXPECT_TRUE(t.aborted());
  }
  EXPECT_EQ(token.use_count(), 2) << "the queue has let go of it";
  first.let_go.release();
  sim.run();
  EXPECT_TRUE(busy.succeeded());
  pool.join();
  EXPECT_FALSE(called);
}

TEST_F(SyncToAsync, DoesNotStartIfTheCallerIsCancelledAlready) {
  bool called = false;
  bool aborted = false;
  const auto body = [&]() -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    testing::manual_timer timer(co_await asio::this_coro::executor, testing::manual_clock::time_point::max());
    const auto note = [&called] { called = true; };
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
    }
    try {
      co_await sync_to_async(note);
    } catch (const boost::system::system_error& e) {
      aborted = e.code() == asio::error::operation_aborted;
    }
  };
  test::task t(sim, body());
  sim.context().poll();
  t.cancel();
  sim.run();
  EXPECT_TRUE(aborted);
  EXPECT_FALSE(called);
}

TEST_F(SyncToAsync, AbortsThoseWhomADestroyedPoolDropsOnce) {
  std::optional<asio::thread_pool> pool{std::in_place, 1};
  stuck_function first;
  int aborted = 0;
  int succeeded = 0;
  const auto call = [&](auto fn) -> awaitable<void> {
    try {
      co_await sync_to_async(*pool, std::move(fn));
      ++succeeded;
    } catch (const boost::system::system_error& e) {
      if (e.code() == asio::error::operation_aborted) ++aborted;
    }
  };
  sim.spawn(call(first.make()));
  for (int i = 0; i < 10; ++i) sim.spawn(call([] {}));
  sim.context().poll();
  first.entered.acquire();
  pool->stop();
  first.let_go.release();
  pool.reset();
  sim.run();
  EXPECT_EQ(succeeded, 1);
  EXPECT_EQ(aborted, 10);
}

TEST_F(SyncToAsync, SurvivesAContextDestroyedWhileTheFunctionRuns) {
  asio::thread_pool pool{2};
  stuck_function plain;
  std::promise<bool> stopped;
  std::promise<void> waiting;
  {
    asio::io_context doomed{1};
    asio::co_spawn(doomed, call_on(pool, plain.make()), asio::detached);
    const auto until_stopped = [&](std::stop_token token) {
      std::binary_semaphore fired{0};
      const std::stop_callback callback(token, [&] { fired.release(); });
      waiting.set_value();
      fired.acquire();
      stopped.set_value(true);
    };
    asio::co_spawn(asio::make_strand(doomed), call_on(pool, until_stopped), asio::detached);
    doomed.poll();
    plain.entered.acquire();
    waiting.get_future().wait();
  }
  EXPECT_TRUE(stopped.get_future().get()) << "nobody waits any more";
  plain.let_go.release();
  pool.join();
}

// The pool's threads complete calls while their context goes away, at every stage.
TEST(SyncToAsyncThreads, SurvivesContextsThatAreDestroyedAtAnyMoment) {
  asio::thread_pool pool{2};
  std::atomic<int> calls = 0;
  const auto body = [](asio::thread_pool& p, std::atomic<int>& n) -> awaitable<void> {
    const auto count = [&n] { ++n; };
    for (;;) co_await sync_to_async(p, count);
  };
  for (int i = 0; i < 300; ++i) {
    asio::io_context context{1};
    for (int k = 0; k < 4; ++k) asio::co_spawn(context, body(pool, calls), asio::detached);
    for (int k = 0; k < i % 10; ++k) context.run_one();
  }
  pool.join();
  EXPECT_GT(calls, 0);
}

TEST(SyncToAsyncThreads, IsCancelledAndCompletedAtTheSameTime) {
  asio::thread_pool pool{1};
  asio::io_context context{1};
  int ended = 0;
  for (int i = 0; i < 500; ++i) {
    const auto body = [](asio::thread_pool& p) -> awaitable<void> { co_await sync_to_async(p, [] {}); };
    test::task t(context.get_executor(), body(pool));
    context.restart();
    context.poll();
    if (i % 2) std::this_thread::yield();
    if (!t.done()) t.cancel();
    context.run();
    ended += t.succeeded() || t.aborted();
  }
  EXPECT_EQ(ended, 500);
}

// All have their results before the loop looks.
struct SyncToAsyncArrivals : ::testing::Test {
  asio::thread_pool pool{2};
  asio::io_context context;

  template <class Completion>
  void start(int n, const Completion& completion) {
    for (int i = 0; i < n; ++i) asio::co_spawn(context, sync_to_async(pool, [i] { return i; }), completion);
    for (int i = 0; i < n; ++i) context.poll_one();
    pool.join();
  }
};

TEST_F(SyncToAsyncArrivals, ComeBackInTurn) {
  std::vector<int> results;
  start(50, [&](std::exception_ptr, int i) { results.push_back(i); });
  EXPECT_TRUE(results.empty());
  context.run();
  std::ranges::sort(results);
  EXPECT_EQ(results.size(), 50U);
  EXPECT_EQ(results.back(), 49);
}

TEST_F(SyncToAsyncArrivals, AreNotLostWhenAnotherThrows) {
  start(5, [](std::exception_ptr, int i) { throw i; });
  int thrown = 0;
  for (bool ended = false; !ended;) {
    try {
      context.run();
      ended = true;
    } catch (int) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 5);
}

TEST(SyncToAsyncThreads, AreDestroyedWithTheContextThatTheyHaveComeBackTo) {
  asio::thread_pool pool{2};
  const auto held = std::make_shared<int>();
  {
    asio::io_context context;
    const auto body = [](asio::thread_pool& p, std::shared_ptr<int> h) -> awaitable<void> {
      auto keep = [h] {};
      co_await sync_to_async(p, std::move(keep));
      ADD_FAILURE() << "resumed by a context that does not run";
    };
    for (int i = 0; i < 5; ++i) asio::co_spawn(context, body(pool, held), asio::detached);
    asio::co_spawn(asio::make_strand(context), body(pool, held), asio::detached);
    for (int i = 0; i < 6; ++i) context.poll_one();
    pool.join();
  }
  EXPECT_EQ(held.use_count(), 1);
}

// Functions that each take a pool's thread for longer than a turn.
TEST(SyncToAsyncThreads, LeavesOtherHandlersOfThePoolTheirTurn) {
  asio::thread_pool pool{1};
  asio::io_context context{1};
  stuck_function first;
  std::atomic<int> calls = 0;
  int calls_before = -1;
  const auto slow = [&] {
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 100us) {
    }
    ++calls;
  };
  asio::co_spawn(context, call_on(pool, first.make()), asio::detached);
  context.poll();
  first.entered.acquire();
  for (int i = 0; i < 10; ++i) asio::co_spawn(context, call_on(pool, slow), asio::detached);
  context.poll();
  asio::post(pool, [&] { calls_before = calls; });
  first.let_go.release();
  context.run();
  pool.join();
  EXPECT_EQ(calls, 10);
  EXPECT_LE(calls_before, 3);
  EXPECT_GE(calls_before, 0);
}

TEST(SyncToAsyncThreads, ServesALoopOfSeveralThreads) {
  asio::thread_pool pool{2};
  asio::io_context context;
  std::atomic<int> sum = 0;
  const auto body = [&]() -> awaitable<void> {
    const auto one = [] { return 1; };
    for (int i = 0; i < 200; ++i) sum += co_await sync_to_async(pool, one);
  };
  for (int k = 0; k < 16; ++k) asio::co_spawn(context, body(), asio::detached);
  {
    std::vector<std::jthread> threads;
    for (int k = 0; k < 3; ++k) threads.emplace_back([&] { context.run(); });
  }
  EXPECT_EQ(sum, 16 * 200);
}

TEST(SyncToAsyncThreads, ServesCallersOnAPool) {
  asio::thread_pool callers{3};
  asio::thread_pool pool{2};
  const auto body = [](asio::thread_pool& p) -> awaitable<int> {
    int sum = 0;
    for (int i = 0; i < 200; ++i) {
      const auto give = [i] { return i; };
      sum += co_await sync_to_async(p, give);
    }
    co_return sum;
  };
  std::vector<std::future<int>> sums;
  for (int i = 0; i < 8; ++i) sums.push_back(asio::co_spawn(callers, body(pool), asio::use_future));
  for (auto& s : sums) EXPECT_EQ(s.get(), 199 * 200 / 2);
}

// sync → async → sync → …, `depth` levels of it, all on one pool.
int nested(asio::thread_pool& pool, int depth) {
  if (depth == 0) return 0;
  const auto deeper = [&pool, depth] { return nested(pool, depth - 1) + 1; };
  return run_async(sync_to_async(pool, deeper));
}

TEST(SyncToAsyncNested, WorksOnAPoolOfOneThread) {
  asio::thread_pool pool{1};
  EXPECT_EQ(nested(pool, 1), 1);
  EXPECT_EQ(nested(pool, 2), 2);
  EXPECT_EQ(nested(pool, 10), 10);
  EXPECT_EQ(nested(pool, 3), 3) << "the spare threads went and came";
}

TEST(SyncToAsyncNested, WorksForManyAtOnceOnAPoolOfTwoThreads) {
  asio::thread_pool pool{2};
  std::vector<std::jthread> callers;
  std::atomic<int> sum = 0;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      for (int k = 0; k < 10; ++k) sum += nested(pool, 4);
    });
  }
  callers.clear();
  EXPECT_EQ(sum, 240);
}

TEST(SyncToAsyncNested, WorksByWayOfAThirdContext) {
  asio::thread_pool pool{1};
  asio::thread_pool other{1};
  const auto inner = [&pool, &other] { return run_async(sync_to_async(pool, [] { return 7; }), other); };
  EXPECT_EQ(run_async(sync_to_async(pool, inner)), 7);
}

TEST(SyncToAsyncNested, WorksFromACoroutineOnThePoolItself) {
  asio::thread_pool pool{1};
  const auto blocks = [](asio::thread_pool& p) -> awaitable<int> { co_return run_async(sync_to_async(p, [] { return 7; })); };
  EXPECT_EQ(asio::co_spawn(pool, blocks(pool), asio::use_future).get(), 7);
}

TEST(SyncToAsyncNested, RefusesToNestWithoutEnd) {
  asio::thread_pool pool{1};
  try {
    nested(pool, static_cast<int>(detail::pool_load::max_spares) + 10);
    FAIL();
  } catch (const std::logic_error& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("nested too deep"));
  }
  EXPECT_EQ(nested(pool, 2), 2);
}

TEST(SyncToAsyncNested, RefusesAnExecutorThatOnlyThisThreadRuns) {
  asio::io_context context{1};
  std::exception_ptr error;
  asio::post(context, [&] {
    try {
      run_async(sync_to_async(context, [] {}));
    } catch (...) {
      error = std::current_exception();
    }
  });
  context.run();
  EXPECT_TRUE(test::holds<std::logic_error>(error));
}

TEST(SyncToAsyncNested, AbortsWhatABlockedThreadQueuedOnAPoolThatWasStopped) {
  std::exception_ptr error;
  {
    asio::thread_pool pool{2};  // the second thread has left: nobody will run the inner function
    const auto inner = [&] {
      pool.stop();
      try {
        run_async(sync_to_async(pool, [] {}));
      } catch (...) {
        error = std::current_exception();
      }
    };
    run_async(sync_to_async(pool, inner));
  }
  EXPECT_TRUE(test::is_aborted(error));
}

}  // namespace
}  // namespace dspu::aio
