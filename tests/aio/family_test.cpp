#include "dspu/aio/detail/family.hpp"

#include "support/after.hpp"
#include "support/task.hpp"

#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <gtest/gtest.h>

namespace dspu::aio::detail {
namespace {

using namespace std::chrono_literals;

// A family that is cancelled before its only child is started.
awaitable<std::exception_ptr> start_too_late() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;
  family f(executor);
  child late(f);
  result_slot<int> result;
  f.cancel_all(asio::cancellation_type::terminal);
  auto op = test::after(1h, 1);
  late.start(std::move(op), result);
  auto joined = f.join();
  co_await std::move(joined);
  co_return result.error();
}

TEST(Family, CancelsAChildThatIsStartedAfterwards) {
  testing::simulator sim;
  EXPECT_TRUE(test::is_aborted(sim.run(start_too_late())));
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST(Family, CancelsAChildOnAPoolThatIsStartedAfterwards) {
  asio::thread_pool pool(2);
  auto error = asio::co_spawn(pool, start_too_late(), asio::use_future);
  EXPECT_TRUE(test::is_aborted(error.get()));
}

}  // namespace
}  // namespace dspu::aio::detail
