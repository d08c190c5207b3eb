#include "dspu/aio/run_async.hpp"

#include "support/task.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

struct flag_at_end {
  bool& flag;
  ~flag_at_end() { flag = true; }
};

awaitable<int> soon(int x) {
  co_await asio::post(asio::use_awaitable);
  co_return x;
}

awaitable<void> forever() {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

template <class F>
std::exception_ptr error_of(F&& f) {
  try {
    f();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

// An io_context that a thread runs until it is told to stop.
struct running_context {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::thread thread{[this] { context.run(); }};

  ~running_context() {
    context.stop();
    thread.join();
  }
};

TEST(RunAsync, GivesTheResult) {
  EXPECT_EQ(run_async(soon(7)), 7);
  EXPECT_EQ(run_async([] { return soon(8); }), 8);
  bool ran = false;
  run_async([&]() -> awaitable<void> {
    ran = true;
    co_return;
  });
  EXPECT_TRUE(ran);
  const auto box = []() -> awaitable<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
  EXPECT_EQ(*run_async(box), 5);
}

TEST(RunAsync, RethrowsAndStaysUsable) {
  const auto fails = []() -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    throw 42;
  };
  EXPECT_THROW(run_async(fails), int);
  EXPECT_EQ(run_async(soon(1)), 1);
}

TEST(RunAsync, RunsOnThisThread) {
  const auto where = []() -> awaitable<std::thread::id> {
    co_await asio::post(asio::use_awaitable);
    co_return std::this_thread::get_id();
  };
  EXPECT_EQ(run_async(where), std::this_thread::get_id());
}

TEST(RunAsync, KeepsItsLoopFromCallToCall) {
  const auto loop = []() -> awaitable<asio::execution_context*> {
    const auto ex = co_await asio::this_coro::executor;
    co_return &asio::query(ex, asio::execution::context);
  };
  const auto* const first = run_async(loop);
  EXPECT_EQ(run_async(loop), first);
}

TEST(RunAsync, NestsOnOneThreadWithALoopForEach) {
  const auto inner = []() -> awaitable<int> { co_return run_async(soon(3)) + run_async(soon(4)); };
  const auto outer = [&]() -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return run_async(inner) + co_await soon(1);
  };
  EXPECT_EQ(run_async(outer), 8);
}

TEST(RunAsync, DestroysWhatIsLeftBehind) {
  bool child_destroyed = false;
  const auto child = [](bool& flag) -> awaitable<void> {
    const flag_at_end at_end{flag};
    co_await forever();
  };
  const auto parent = [&]() -> awaitable<void> {
    asio::co_spawn(co_await asio::this_coro::executor, child(child_destroyed), asio::detached);
    co_await asio::post(asio::use_awaitable);
  };
  run_async(parent);
  EXPECT_TRUE(child_destroyed);
}

TEST(RunAsync, DestroysAChildThatNeverRests) {
  bool child_destroyed = false;
  const auto child = [](bool& flag) -> awaitable<void> {
    const flag_at_end at_end{flag};
    for (;;) co_await asio::post(asio::use_awaitable);
  };
  const auto parent = [&]() -> awaitable<void> {
    asio::co_spawn(co_await asio::this_coro::executor, child(child_destroyed), asio::detached);
    co_return;
  };
  run_async(parent);
  EXPECT_TRUE(child_destroyed);
}

TEST(RunAsync, RunsWhatIsReadyOfWhatIsLeftBehind) {
  bool child_ended = false;
  const auto child = [](bool& flag) -> awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    flag = true;
  };
  const auto parent = [&]() -> awaitable<void> {
    asio::co_spawn(co_await asio::this_coro::executor, child(child_ended), asio::detached);
    co_return;
  };
  run_async(parent);
  EXPECT_TRUE(child_ended);
}

TEST(RunAsync, ThrowsWhatAStrayHandlerThrewOnceTheCoroutineHasEnded) {
  bool unwound = false;
  const auto body = [&]() -> awaitable<void> {
    const flag_at_end at_end{unwound};
    asio::post(co_await asio::this_coro::executor, [] { throw std::runtime_error("stray"); });
    co_await forever();
  };
  EXPECT_THROW(run_async(body), std::runtime_error);
  EXPECT_TRUE(unwound);
  EXPECT_EQ(run_async(soon(1)), 1);
}

TEST(RunAsync, IsAbortedIfTheCoroutineStopsTheLoop) {
  bool unwound = false;
  const auto body = [&]() -> awaitable<void> {
    const flag_at_end at_end{unwound};
    const auto ex = co_await asio::this_coro::executor;
    static_cast<asio::io_context&>(asio::query(ex, asio::execution::context)).stop();
    co_await forever();
  };
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body); })));
  EXPECT_TRUE(unwound);
  EXPECT_EQ(run_async(soon(1)), 1);
}

TEST(RunAsync, IsCancelledByAStopRequest) {
  std::stop_source source;
  std::promise<void> started;
  const auto body = [&]() -> awaitable<void> {
    started.set_value();
    co_await forever();
  };
  std::jthread stopper([&] {
    started.get_future().wait();
    source.request_stop();
  });
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body, source.get_token()); })));
  bool ran = false;
  const auto note = [&]() -> awaitable<void> {
    ran = true;
    co_return;
  };
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(note, source.get_token()); })));
  EXPECT_FALSE(ran) << "stopped before it began";
}

TEST(RunAsync, EndsAndIsStoppedAtTheSameTime) {
  for (int i = 0; i < 300; ++i) {
    std::stop_source source;
    std::jthread stopper([&] { source.request_stop(); });
    try {
      run_async(soon(1), source.get_token());
    } catch (const boost::system::system_error& e) {
      EXPECT_EQ(e.code(), asio::error::operation_aborted);
    }
  }
}

TEST(RunAsync, RefusesToWaitForTheLoopThatItRuns) {
  const auto body = []() -> awaitable<int> {
    const auto ex = co_await asio::this_coro::executor;
    co_return run_async(soon(1), ex);
  };
  EXPECT_THROW(run_async(body), std::logic_error);
  const auto later = []() -> awaitable<int> {
    const auto ex = co_await asio::this_coro::executor;
    co_await asio::post(asio::use_awaitable);
    const auto from_inner_loop = [ex]() -> awaitable<int> { co_return run_async(soon(1), ex); };
    co_return run_async(from_inner_loop);
  };
  EXPECT_THROW(run_async(later), std::logic_error);
}

TEST(RunAsyncOnExecutor, RunsThereAndBlocksHere) {
  running_context other;
  asio::thread_pool pool{3};
  const auto where = []() -> awaitable<std::thread::id> {
    co_await asio::post(asio::use_awaitable);
    co_return std::this_thread::get_id();
  };
  EXPECT_EQ(run_async(where, other.context), other.thread.get_id());
  EXPECT_NE(run_async(where, pool), std::this_thread::get_id());
  EXPECT_EQ(run_async(soon(5), asio::make_strand(pool)), 5);
  EXPECT_THROW(run_async([]() -> awaitable<int> { throw 42; co_return 0; }, pool), int);
}

TEST(RunAsyncOnExecutor, RefusesAThreadThatRunsTheExecutor) {
  running_context other;
  asio::thread_pool pool{1};
  const auto blocks_on = [](asio::any_io_executor ex) -> awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return run_async(soon(1), ex);
  };
  const asio::any_io_executor strand = asio::make_strand(pool);
  EXPECT_THROW(run_async(blocks_on(other.context.get_executor()), other.context), std::logic_error);
  EXPECT_THROW(run_async(blocks_on(pool.get_executor()), pool), std::logic_error);
  EXPECT_THROW(run_async(blocks_on(strand), pool), std::logic_error);
  EXPECT_THROW(run_async(blocks_on(pool.get_executor()), strand), std::logic_error);
  EXPECT_THROW(run_async(blocks_on(strand), strand), std::logic_error);
  EXPECT_EQ(run_async(soon(2), pool), 2);
  pool.join();
}

TEST(RunAsyncOnExecutor, IsCancelledByAStopRequest) {
  asio::thread_pool pool{3};
  std::stop_source source;
  std::promise<void> started;
  const auto body = [&]() -> awaitable<void> {
    started.set_value();
    co_await forever();
  };
  std::jthread stopper([&] {
    started.get_future().wait();
    source.request_stop();
  });
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body, pool, source.get_token()); })));
}

TEST(RunAsyncOnExecutor, WakesWhenTheContextIsDestroyed) {
  auto context = std::make_unique<asio::io_context>();
  bool unwound = false;
  std::promise<void> started;
  const auto body = [&]() -> awaitable<void> {
    const flag_at_end at_end{unwound};
    started.set_value();
    co_await forever();
  };
  std::thread runner([&] {
    {
      const auto work = asio::make_work_guard(*context);
      const auto start = started.get_future();
      while (start.wait_for(0s) != std::future_status::ready) context->run_one_for(1ms);
    }
    context.reset();
  });
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body, asio::make_strand(*context)); })));
  runner.join();
  EXPECT_TRUE(unwound);
}

TEST(RunAsyncOnExecutor, WakesWhenTheContextIsStoppedAndCancelsWhatIsLeftThere) {
  asio::io_context context{1};
  bool unwound = false;
  std::promise<void> started;
  const auto body = [&]() -> awaitable<void> {
    const flag_at_end at_end{unwound};
    started.set_value();
    co_await forever();
  };
  std::thread runner([&] {
    const auto work = asio::make_work_guard(context);
    const auto start = started.get_future();
    while (start.wait_for(0s) != std::future_status::ready) context.run_one_for(1ms);
    context.stop();
  });
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body, context); })));
  runner.join();
  EXPECT_FALSE(unwound);
  context.restart();
  context.run();
  EXPECT_TRUE(unwound);
}

TEST(RunAsyncOnExecutor, WakesWhenRunThrows) {
  asio::io_context context{1};
  std::promise<void> started;
  const auto body = [&]() -> awaitable<void> {
    asio::post(context, [] { throw 1; });
    co_await forever();
  };
  std::thread runner([&] {
    const auto work = asio::make_work_guard(context);
    try {
      context.run();
    } catch (int) {
      context.stop();
    }
  });
  EXPECT_TRUE(test::is_aborted(error_of([&] { run_async(body, context); })));
  runner.join();
}

TEST(AsyncToSync, DecoratesCoroutineFunctions) {
  const auto twice = async_to_sync([](int x) { return soon(2 * x); });
  EXPECT_EQ(twice(4), 8);
  EXPECT_EQ(twice(5), 10);
  const auto length = async_to_sync([](std::unique_ptr<std::string> s) -> awaitable<std::size_t> {
    co_await asio::post(asio::use_awaitable);
    co_return s->size();
  });
  EXPECT_EQ(length(std::make_unique<std::string>("four")), 4U);
}

TEST(AsyncToSync, RunsOnTheExecutorGiven) {
  asio::thread_pool pool{1};
  const auto twice = async_to_sync([](int x) { return soon(2 * x); }, pool);
  EXPECT_EQ(twice(4), 8);
}

TEST(AsyncToSync, RefusesALoopThread) {
  asio::thread_pool pool{2};
  const auto twice = async_to_sync([](int x) { return soon(2 * x); }, pool);
  const auto body = [&]() -> awaitable<int> { co_return twice(1); };
  EXPECT_THROW(run_async(body, pool), std::logic_error);
}

TEST(AsyncToSync, ServesManyThreads) {
  asio::thread_pool pool{2};
  const auto echo = async_to_sync(soon, pool);
  std::atomic<int> sum = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) sum += echo(1);
      });
    }
  }
  EXPECT_EQ(sum, 800);
}

}  // namespace
}  // namespace dspu::aio
