// Each timeout inside a retry carried the one before as its last error, and that the one before it: the memory of a call grew
// with its attempts, and destroying 200,000 of them overflowed the stack. A call keeps one last error.
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <algorithm>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::manual_timer;
using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;

retry_options many(std::int64_t attempts) {
  return {.max_attempts = attempts, .base_delay = 0ns, .jitter = jitter::none};
}

std::exception_ptr last_error_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const error& x) {
    return x.last_error();
  } catch (const cancelled_error& x) {
    return x.last_error();
  } catch (...) {
    return nullptr;
  }
}
std::size_t length(std::exception_ptr e) {
  std::size_t n = 0;
  for (; e; e = last_error_of(e)) ++n;
  return n;
}

struct ChainOfLastErrors : ::testing::Test {
  testing::simulator sim;
  std::size_t longest = 0;

  awaitable<int> hang(const call_context& c) {
    longest = std::max(longest, length(c.last_error));
    manual_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 1;
  }
  template <class Row>
  std::exception_ptr error_of(const Row& row) {
    try {
      sim.run(row.call([this](const call_context& c) { return hang(c); }));
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }
};

TEST_F(ChainOfLastErrors, DoesNotGrowWithTheTimeoutsInsideARetry) {
  const auto error = error_of(retry_m(many(1000)) | timeout_m(1ms));
  EXPECT_TRUE(test::holds<async_timeout_error>(error));
  EXPECT_EQ(length(error), 1U);  // nothing had failed inside of the last timeout
  EXPECT_EQ(longest, 1U);
}

TEST_F(ChainOfLastErrors, DoesNotGrowWithNestedRetries) {
  const auto error = error_of(retry_m(many(30)) | timeout_m(3500us) | retry_m(many(100)) | timeout_m(1ms));
  EXPECT_EQ(length(error), 2U);  // and what the newest attempt inside of it had failed with
  EXPECT_LE(longest, 2U);
}

TEST_F(ChainOfLastErrors, DoesNotGrowWithRefusals) {
  basic_rate_limiter<manual_clock> limiter{{.rate = 1, .per = 1h, .capacity = 1}};
  ASSERT_TRUE(limiter.try_acquire());
  const auto error = error_of(retry_m(many(1000)) | timeout_m(1ms) | limiter);
  EXPECT_TRUE(test::holds<deadline_error>(error));
  EXPECT_EQ(length(error), 1U);
}

TEST_F(ChainOfLastErrors, KeepsTheRealErrorThroughRefusals) {
  basic_rate_limiter<manual_clock> limiter{{.rate = 1, .per = 1h, .capacity = 1}};
  const auto fails = [&]() -> awaitable<int> { throw std::domain_error("real"); };
  const auto row = retry_m(many(1000)) | timeout_m(1ms) | limiter;
  try {
    sim.run(row.call(fails));
    FAIL();
  } catch (const deadline_error& e) {
    EXPECT_TRUE(test::holds<std::domain_error>(e.last_error()));
    EXPECT_TRUE(e.begun());
  }
}

TEST_F(ChainOfLastErrors, IsNoneInATimeoutAroundARetry) {
  const auto error = error_of(timeout_m(10500us) | retry_m(many(1000)) | timeout_m(1ms));
  EXPECT_EQ(length(error), 2U);
}

}  // namespace
}  // namespace dspu::aio
