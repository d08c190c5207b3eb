#include "dspu/aio/detail/deadlines.hpp"

#include "dspu/aio/gather.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/simulator.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <ranges>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;

class noted final : public detail::timed {
 public:
  noted(std::vector<int>& log, int name) : log_(log), name_(name) {}

 private:
  void expire(std::unique_lock<std::mutex>&) override { log_.push_back(name_); }
  std::vector<int>& log_;
  int name_;
};

struct Deadlines : ::testing::Test {
  simulator sim;
  detail::deadlines& all = detail::deadlines_of<manual_clock>(sim.get_executor());
  std::vector<int> log;
  std::deque<noted> made;

  ~Deadlines() override {
    for (auto& t : made) all.remove(t);
  }
  noted& add(int name, duration d) {
    auto& t = made.emplace_back(log, name);
    all.add(t, manual_clock::now() + d);
    return t;
  }
};

TEST_F(Deadlines, ExpireInOrderWhateverTheOrderOfAdding) {
  // Strictly falling: one after the other opens a list, until there are no more, and the rest goes into the tree.
  for (int i = 20; i > 0; --i) add(i, std::chrono::seconds{i});
  for (int i = 1; i <= 20; ++i) {
    sim.run_until(std::chrono::seconds{i} - 1ns);
    EXPECT_EQ(log.size(), static_cast<std::size_t>(i - 1));
    sim.run_until(std::chrono::seconds{i});
    ASSERT_EQ(log.size(), static_cast<std::size_t>(i));
    EXPECT_EQ(log.back(), i);
  }
}

TEST_F(Deadlines, DoNotExpireOnceRemoved) {
  for (int i = 20; i > 0; --i) add(i, std::chrono::seconds{i});
  for (auto& t : made | std::views::take(19)) EXPECT_TRUE(all.remove(t));
  EXPECT_FALSE(all.remove(made.front()));
  sim.run();
  EXPECT_EQ(log, std::vector{1});
  EXPECT_FALSE(all.remove(made.back()));
}

TEST_F(Deadlines, LeaveNoTimerBehindWhenAllAreRemoved) {
  auto& t = add(1, 1h);
  sim.run_for(1s);
  all.remove(t);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(Deadlines, ServeOneThatIsEarlierThanTheTimer) {
  add(1, 1h);
  sim.run_for(1s);
  add(2, 1s);
  sim.run_for(1s);
  EXPECT_EQ(log, std::vector{2});
}

// The same inside a gather, on a context of several threads: the timer goes off on one, the coroutine runs on another.
awaitable<int> hang() {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer forever(executor, 1h);
  co_await forever.async_wait(asio::use_awaitable);
  co_return 1;
}

awaitable<int> time_out_many(int n) {
  const auto bounded = [](int i) { return run_with_timeout(hang(), std::chrono::microseconds{100 + i % 7}); };
  auto all = map_with_limit(std::views::iota(0, n), bounded, {.limit = 16}, return_exceptions);
  const auto results = co_await std::move(all);
  co_return static_cast<int>(std::ranges::count_if(results, [](const auto& r) { return r.has_error(); }));
}

TEST(DeadlinesWallClock, ExpireOnAPool) {
  asio::thread_pool pool(3);
  auto timed_out = asio::co_spawn(pool, time_out_many(500), asio::use_future);
  EXPECT_EQ(timed_out.get(), 500);
}

TEST(DeadlinesWallClock, ExpireOnAPoolForACallOfItsOwn) {
  asio::thread_pool pool(3);
  for (int i = 0; i < 100; ++i) {
    auto bounded = run_with_timeout(hang(), 50us);
    auto result = asio::co_spawn(pool, std::move(bounded), asio::use_future);
    EXPECT_THROW(result.get(), async_timeout_error);
  }
}

}  // namespace
}  // namespace dspu::aio
