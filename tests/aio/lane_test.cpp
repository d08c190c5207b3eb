#include "dspu/aio/detail/lane.hpp"

#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace dspu::aio::detail {
namespace {

struct Lane : ::testing::Test {
  asio::io_context context;
  asio::any_io_executor lane = make_lane(context.get_executor());
  std::string log;

  // While it runs in the lane, the context offers the next function to this thread, as it would to another thread.
  void meet_while(const char* name) {
    log += name;
    context.poll_one();
    log += name;
  }
};

TEST_F(Lane, IsSerial) {
  EXPECT_TRUE(is_serial(lane));
  EXPECT_NE(lane_of(lane), nullptr);
  EXPECT_FALSE(is_serial(context.get_executor()));
}

TEST_F(Lane, KeepsWhatComesWhileItIsTakenAndRunsItAfterwards) {
  asio::post(lane, [&] { meet_while("a"); });
  asio::post(lane, [&] { log += "b"; });
  asio::post(lane, [&] { log += "c"; });
  context.run();
  EXPECT_EQ(log, "aabc");  // c waited as well: the lane is taken until b has run
}

TEST_F(Lane, RunsKeptFunctionsInTheOrderInWhichTheyCame) {
  asio::post(lane, [&] {
    for (int i = 0; i < 3; ++i) context.poll_one();
    log += "a";
  });
  for (const char* name : {"b", "c", "d"}) asio::post(lane, [this, name] { log += name; });
  context.run();
  EXPECT_EQ(log, "abcd");
}

TEST_F(Lane, RunsADispatchedFunctionAtOnceIfTheThreadIsInIt) {
  asio::post(lane, [&] {
    asio::dispatch(lane, [&] { log += "inside"; });
    log += " after";
  });
  context.run();
  EXPECT_EQ(log, "inside after");
}

TEST_F(Lane, GoesOnAfterAnException) {
  asio::post(lane, [&] {
    context.poll_one();
    context.poll_one();
    throw std::runtime_error("a");
  });
  asio::post(lane, []() -> void { throw std::runtime_error("b"); });
  asio::post(lane, [&] { log += "c"; });
  EXPECT_THROW(context.run(), std::runtime_error);
  EXPECT_THROW(context.run(), std::runtime_error);
  context.run();
  EXPECT_EQ(log, "c");
}

TEST(LaneOfADestroyedContext, DestroysWhatItKept) {
  const auto kept = std::make_shared<int>(1);
  {
    asio::io_context context;
    const auto lane = make_lane(context.get_executor());
    asio::post(lane, [&] { context.poll_one(); });
    asio::post(lane, [kept] {});
    context.run_one();
    EXPECT_EQ(kept.use_count(), 2);
  }
  EXPECT_EQ(kept.use_count(), 1);
}

// Many coroutines on one lane of a pool, each adding to a plain number: a data race if two were ever in it.
awaitable<void> add_often(int& sum, int times) {
  for (int i = 0; i < times; ++i) {
    ++sum;
    co_await asio::post(asio::use_awaitable);
  }
}

TEST(LaneOnAPool, LetsInOneAtATime) {
  int sum = 0;
  {
    asio::thread_pool pool(4);
    const auto lane = make_lane(pool.get_executor());
    for (int i = 0; i < 16; ++i) asio::co_spawn(lane, add_often(sum, 500), [](std::exception_ptr) {});
    pool.join();
  }
  EXPECT_EQ(sum, 16 * 500);
}

}  // namespace
}  // namespace dspu::aio::detail
