#include "dspu/aio/iter_over_async.hpp"

#include "dspu/aio/generator.hpp"
#include "support/task.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/experimental/coro.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <ranges>
#include <thread>

namespace dspu::aio {
namespace {

namespace experimental = asio::experimental;
using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct flag_at_end {
  std::atomic<bool>& flag;
  ~flag_at_end() { flag = true; }
};

// 1, 2, … n, each after a turn of the loop.
generator<int> numbers(int n) {
  for (int i = 1; i <= n; ++i) {
    co_await asio::post(asio::use_awaitable);
    co_yield i;
  }
}

generator<int> fails_at(int k) {
  for (int i = 1; i < k; ++i) co_yield i;
  throw std::runtime_error("no more");
}

generator<int> endless(std::atomic<bool>& unwound) {
  const flag_at_end at_end{unwound};
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int i = 1;; ++i) {
    timer.expires_after(0s);
    co_await timer.async_wait(asio::use_awaitable);
    co_yield i;
  }
}

generator<int> never() {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
  co_yield 0;
}

experimental::coro<int> resumed(asio::any_io_executor, int n) {
  for (int i = 1; i <= n; ++i) co_yield i;
}

experimental::coro<int> resumed_once(asio::any_io_executor) {
  co_yield 1;
  throw std::runtime_error("no more");
}

template <class Range>
std::vector<int> collect(Range&& range) {
  std::vector<int> all;
  for (int item : range) all.push_back(item);
  return all;
}

static_assert(std::ranges::input_range<decltype(iter_over_async(numbers(1)))>);
static_assert(!std::ranges::forward_range<decltype(iter_over_async(numbers(1)))>);

TEST(IterOverAsync, GivesAGeneratorsItemsInOrder) {
  EXPECT_THAT(collect(iter_over_async(numbers(3))), ElementsAre(1, 2, 3));
  EXPECT_THAT(collect(iter_over_async(numbers(0))), ElementsAre());
}

TEST(IterOverAsync, WorksWithViews) {
  auto range = iter_over_async(numbers(10));
  const auto is_even = [](int i) { return i % 2 == 0; };
  EXPECT_THAT(collect(range | std::views::filter(is_even)), ElementsAre(2, 4, 6, 8, 10));
  EXPECT_THAT(collect(iter_over_async(numbers(10)) | std::views::take(2)), ElementsAre(1, 2));
}

TEST(IterOverAsync, TakesWhatIsThereAndLeavesTheRest) {
  auto g = numbers(4);
  auto first = iter_over_async(g);
  EXPECT_EQ(*first.begin(), 1);
  EXPECT_EQ(*first.begin(), 1) << "begin() fetches once";
  EXPECT_THAT(collect(iter_over_async(g)), ElementsAre(2, 3, 4));
}

TEST(IterOverAsync, TakesAnythingWithNext) {
  struct countdown {
    int left;
    awaitable<std::optional<int>> next() {
      co_return left > 0 ? std::optional<int>(left--) : std::nullopt;
    }
  };
  EXPECT_THAT(collect(iter_over_async(countdown{3})), ElementsAre(3, 2, 1));
}

TEST(IterOverAsync, TakesMoveOnlyItems) {
  const auto boxes = []() -> generator<std::unique_ptr<int>> {
    for (int i = 1; i <= 2; ++i) co_yield std::make_unique<int>(i);
  };
  int sum = 0;
  for (auto& box : iter_over_async(boxes())) sum += *std::exchange(box, nullptr);
  EXPECT_EQ(sum, 3);
}

TEST(IterOverAsync, ThrowsWhereTheGeneratorDoesThenIsAtItsEnd) {
  auto range = iter_over_async(fails_at(3));
  auto it = range.begin();
  EXPECT_EQ(*it, 1);
  ++it;
  EXPECT_EQ(*it, 2);
  EXPECT_THROW(++it, std::runtime_error);
  EXPECT_TRUE(it == range.end());
  ++it;
  EXPECT_TRUE(it == range.end());
  auto at_once = iter_over_async(fails_at(1));
  EXPECT_THROW(at_once.begin(), std::runtime_error);
  EXPECT_TRUE(at_once.begin() == at_once.end());
}

TEST(IterOverAsync, DestroysTheGeneratorWhenStoppedMidway) {
  std::atomic<bool> unwound = false;
  for (int item : iter_over_async(endless(unwound))) {
    if (item == 3) break;
    EXPECT_FALSE(unwound);
  }
  EXPECT_TRUE(unwound);
}

TEST(IterOverAsync, CancelsWhatIsAwaitedWhenAskedToStop) {
  std::stop_source source;
  auto range = iter_over_async(never(), source.get_token());
  std::jthread stopper([&] { source.request_stop(); });
  try {
    range.begin();
    FAIL();
  } catch (const boost::system::system_error& e) {
    EXPECT_EQ(e.code(), asio::error::operation_aborted);
  }
  EXPECT_TRUE(range.begin() == range.end());
}

TEST(IterOverAsync, MayBeMovedBetweenItems) {
  auto range = iter_over_async(numbers(3));
  auto it = range.begin();
  auto moved = std::move(range);
  ++it;
  EXPECT_EQ(*it, 2);
  EXPECT_THAT(collect(moved), ElementsAre(2, 3));
}

TEST(IterOverAsync, NestsOnOneThread) {
  std::vector<int> all;
  for (int i : iter_over_async(numbers(2))) {
    for (int k : iter_over_async(numbers(2))) all.push_back(10 * i + k);
  }
  EXPECT_THAT(all, ElementsAre(11, 12, 21, 22));
}

TEST(IterOverAsync, RunsAFactorysSourceOnThePrivateLoop) {
  const auto make = [](asio::any_io_executor ex) { return resumed(ex, 3); };
  EXPECT_THAT(collect(iter_over_async(make)), ElementsAre(1, 2, 3));
  EXPECT_THAT(collect(iter_over_async(make) | std::views::take(1)), ElementsAre(1));
  EXPECT_THAT(collect(iter_over_async([] { return numbers(2); })), ElementsAre(1, 2));
}

TEST(IterOverAsyncOnExecutor, RunsTheGeneratorThere) {
  asio::thread_pool pool{2};
  const auto where = []() -> generator<std::thread::id> {
    for (;;) {
      co_await asio::post(asio::use_awaitable);
      co_yield std::this_thread::get_id();
    }
  };
  for (const auto& id : iter_over_async(where(), pool) | std::views::take(3)) {
    EXPECT_NE(id, std::this_thread::get_id());
  }
}

TEST(IterOverAsyncOnExecutor, DestroysTheGeneratorThereWhenStoppedMidway) {
  asio::thread_pool pool{2};
  std::atomic<bool> unwound = false;
  EXPECT_THAT(collect(iter_over_async(endless(unwound), pool) | std::views::take(3)), ElementsAre(1, 2, 3));
  EXPECT_TRUE(unwound);
}

TEST(IterOverAsyncOnExecutor, TakesACoroWhereItRuns) {
  asio::thread_pool pool{2};
  EXPECT_THAT(collect(iter_over_async(resumed(pool.get_executor(), 3))), ElementsAre(1, 2, 3));
  auto range = iter_over_async(resumed_once(pool.get_executor()));
  auto it = range.begin();
  EXPECT_EQ(*it, 1);
  EXPECT_THROW(++it, std::runtime_error);
}

TEST(IterOverAsyncOnExecutor, TakesAChannelUntilItsEnd) {
  asio::thread_pool pool{2};
  experimental::concurrent_channel<void(error_code, int)> channel(pool, 1);
  const auto send = [](auto& to, error_code last) -> awaitable<void> {
    for (int i = 1; i <= 5; ++i) co_await to.async_send(error_code{}, i, asio::use_awaitable);
    co_await to.async_send(last, 0, asio::use_awaitable);
  };
  asio::co_spawn(pool, send(channel, asio::error::eof), asio::detached);
  EXPECT_THAT(collect(iter_over_async(channel)), ElementsAre(1, 2, 3, 4, 5));
  asio::co_spawn(pool, send(channel, asio::error::access_denied), asio::detached);
  std::vector<int> seen;
  try {
    for (int item : iter_over_async(channel)) seen.push_back(item);
    FAIL();
  } catch (const boost::system::system_error& e) {
    EXPECT_EQ(e.code(), asio::error::access_denied);
  }
  EXPECT_EQ(seen.size(), 5U);
  channel.close();
  EXPECT_THAT(collect(iter_over_async(channel)), ElementsAre());
}

TEST(IterOverAsyncOnExecutor, EndsWhenTheChannelIsClosedOrCancelledMeanwhile) {
  for (const bool close : {true, false}) {
    asio::thread_pool pool{1};
    experimental::channel<void(error_code, int)> channel(pool, 4);
    EXPECT_TRUE(channel.try_send(error_code{}, 1));
    auto range = iter_over_async(channel, pool);
    auto it = range.begin();
    EXPECT_EQ(*it, 1);
    const auto end = [](decltype(channel)& c, bool how) -> awaitable<void> {
      co_await asio::post(asio::use_awaitable);
      how ? c.close() : c.cancel();
    };
    // A cancel before the receive is lost, so it is repeated until the receive has ended.
    std::atomic<bool> over = false;
    std::jthread ender([&] {
      do {
        asio::co_spawn(pool, end(channel, close), asio::use_future).get();
      } while (!over && !close);
    });
    ++it;
    over = true;
    EXPECT_TRUE(it == range.end());
  }
}

TEST(IterOverAsyncOnExecutor, RefusesAThreadThatRunsTheExecutor) {
  asio::thread_pool pool{1};
  std::exception_ptr error;
  asio::post(pool, [&] {
    try {
      collect(iter_over_async(numbers(1), pool));
    } catch (...) {
      error = std::current_exception();
    }
  });
  pool.join();
  EXPECT_TRUE(test::holds<std::logic_error>(error));
}

TEST(IterOverAsyncOnExecutor, OutlivesTheContext) {
  std::atomic<bool> unwound = false;
  auto pool = std::make_unique<asio::thread_pool>(2);
  auto range = iter_over_async(endless(unwound), *pool);
  auto it = range.begin();
  EXPECT_EQ(*it, 1);
  pool.reset();
  EXPECT_TRUE(unwound);
  EXPECT_THROW(++it, boost::system::system_error);
  EXPECT_TRUE(it == range.end());
}

}  // namespace
}  // namespace dspu::aio
