// A cancelled operation that returned operation_aborted instead of throwing it was counted as a failure: breakers opened,
// throttles refused, limits fell, and a timeout gave that value in place of async_timeout_error.
#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/result.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "support/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <tuple>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::manual_timer;
using breaker = basic_circuit_breaker<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;

awaitable<std::tuple<error_code>> wait_10_s() {
  manual_timer timer(co_await asio::this_coro::executor, 10s);
  co_return co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

// The ways to report that. Each gives what it came to as a value, good after 10 s.
struct by_code {
  using value_type = error_code;
  static awaitable<value_type> run() {
    auto waiting = wait_10_s();
    const auto ended = co_await std::move(waiting);
    co_return std::get<0>(ended);
  }
};
struct by_tuple {
  using value_type = std::tuple<error_code, int>;
  static awaitable<value_type> run() {
    auto coded = by_code::run();
    const error_code ec = co_await std::move(coded);
    co_return value_type(ec, 7);
  }
};
struct by_std_code {
  using value_type = std::error_code;
  static awaitable<value_type> run() {
    auto coded = by_code::run();
    const error_code ec = co_await std::move(coded);
    co_return value_type(ec);
  }
};
struct by_exception_ptr {
  using value_type = std::exception_ptr;
  static awaitable<value_type> run() {
    auto coded = by_code::run();
    const error_code ec = co_await std::move(coded);
    co_return ec ? std::make_exception_ptr(boost::system::system_error(ec)) : nullptr;
  }
};
struct by_result {
  using value_type = result<int>;
  static awaitable<value_type> run() {
    auto coded = by_exception_ptr::run();
    auto error = co_await std::move(coded);
    if (error) co_return value_type(boost::system::in_place_error, std::move(error));
    co_return value_type(7);
  }
};
struct by_code_result {
  using value_type = boost::system::result<int>;
  static awaitable<value_type> run() {
    auto coded = by_code::run();
    const error_code ec = co_await std::move(coded);
    if (ec) co_return value_type(ec);
    co_return value_type(7);
  }
};

template <class Way>
struct CancellationByValue : ::testing::Test {
  testing::simulator sim;

  template <class Policy>
  static awaitable<void> call_once(Policy& policy) {
    auto called = policy.call(&Way::run);
    co_await std::move(called);
  }
  template <class Policy>
  void cancel_a_call(Policy& policy) {
    test::task t(sim, call_once(policy));
    sim.run_for(1s);
    t.cancel();
    sim.run_for(0s);
    EXPECT_TRUE(t.done());
  }
  static awaitable<void> fail() { throw std::runtime_error("fails"); }
};

using ways = ::testing::Types<by_code, by_tuple, by_std_code, by_exception_ptr, by_result, by_code_result>;
TYPED_TEST_SUITE(CancellationByValue, ways);

TYPED_TEST(CancellationByValue, IsNoFailureForABreaker) {
  breaker b{{.failure_threshold = 1}};
  this->cancel_a_call(b);
  EXPECT_EQ(b.state(), circuit_state::closed);
  EXPECT_EQ(b.failure_count(), 0);
  auto row = pipe(b);
  this->cancel_a_call(row);
  EXPECT_EQ(b.failure_count(), 0);
}

TYPED_TEST(CancellationByValue, LeavesABreakerHalfOpenAndGivesTheProbesPlaceBack) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s}};
  EXPECT_THROW(this->sim.run(b.call(&TestFixture::fail)), std::runtime_error);
  this->sim.run_for(1s);
  this->cancel_a_call(b);
  EXPECT_EQ(b.state(), circuit_state::half_open);
  EXPECT_TRUE(b.try_permit());
}

TYPED_TEST(CancellationByValue, IsNoFailureWhereATimeoutOutsideCutTheCall) {
  breaker b{{.failure_threshold = 1}};
  auto row = timeout_m(1s) | b;
  EXPECT_THROW(this->sim.run(this->call_once(row)), async_timeout_error);
  EXPECT_EQ(b.failure_count(), 0);
}

TYPED_TEST(CancellationByValue, IsAFailureWhereATimeoutInsideCutTheAttempt) {
  breaker b{{.failure_threshold = 1}};
  auto row = b | timeout_m(1s);
  EXPECT_THROW(this->sim.run(this->call_once(row)), async_timeout_error);
  EXPECT_EQ(b.failure_count(), 1);
}

TYPED_TEST(CancellationByValue, IsNoFailureForAThrottle) {
  basic_throttle<manual_clock> polite{{.k = 1, .min_requests = 1}};
  for (int i = 0; i < 3; ++i) this->cancel_a_call(polite);
  EXPECT_EQ(polite.rejection_probability(), 0);
}

TYPED_TEST(CancellationByValue, LowersNoLimit) {
  basic_adaptive_concurrency<manual_clock> width{
      {.algorithm = limit_algorithm::aimd, .initial = 20, .classify = default_verdict}};
  this->cancel_a_call(width);
  EXPECT_EQ(width.limit(), 20);
}

TYPED_TEST(CancellationByValue, IsNotRetriedNorReplaced) {
  int attempts = 0;
  int falls = 0;
  using value_type = typename TypeParam::value_type;
  const auto other = [&](const outcome&) {
    ++falls;
    return value_type{};
  };
  auto row = fallback(other) | basic_retry<manual_clock>{{.max_attempts = 5}} | timeout_m(1h);
  const auto counted = [&] {
    ++attempts;
    return TypeParam::run();
  };
  const auto body = [&]() -> awaitable<void> { co_await row.call(counted); };
  test::task t(this->sim, body());
  this->sim.run_for(1s);
  t.cancel();
  this->sim.run_for(1h);
  EXPECT_TRUE(t.done());
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(falls, 0);
}

TYPED_TEST(CancellationByValue, OfAHedgesLoserIsNoFailureForABreakerInside) {
  breaker b{{.failure_threshold = 1}};
  basic_hedge<manual_clock> twice{{.delay = 1s}};
  using value_type = typename TypeParam::value_type;
  const auto quick_at_second = [](const call_context& c) -> awaitable<value_type> {
    if (c.hedge == 0) {
      auto slow = TypeParam::run();
      co_return co_await std::move(slow);
    }
    co_return value_type{};
  };
  auto row = twice | b;
  this->sim.run(row.call(quick_at_second));
  EXPECT_EQ(this->sim.elapsed(), 1s);
  EXPECT_EQ(b.failure_count(), 0);
}

TYPED_TEST(CancellationByValue, IsATimeoutAfterItsExpiry) {
  EXPECT_THROW(this->sim.run(run_with_timeout<manual_clock>(TypeParam::run(), 1s)), async_timeout_error);
  EXPECT_THROW(this->sim.run(timeout_m(1s).call(&TypeParam::run)), async_timeout_error);
  EXPECT_EQ(this->sim.elapsed(), 2s);
}

TYPED_TEST(CancellationByValue, IsOnesOwnWhenTheCallerCancelledATimeout) {
  const auto body = [] { return run_with_timeout<manual_clock>(TypeParam::run(), 5s); };
  bool failed = false;
  const auto call = [&]() -> awaitable<void> {
    auto called = body();
    const auto value = co_await std::move(called);
    failed = outcome::of(value).aborted();
  };
  test::task t(this->sim, call());
  this->sim.run_for(1s);
  t.cancel();
  this->sim.run_for(0s);
  EXPECT_TRUE(t.succeeded());
  EXPECT_TRUE(failed);
}

// Nobody has cancelled the caller: what looks like a cancellation is the operation's own failure.
TEST(AbortByValue, ThatNobodyAskedForIsAFailure) {
  testing::simulator sim;
  breaker b{{.failure_threshold = 1}};
  const auto aborts = []() -> awaitable<error_code> { co_return asio::error::operation_aborted; };
  EXPECT_EQ(sim.run(b.call(aborts)), asio::error::operation_aborted);
  EXPECT_EQ(b.state(), circuit_state::open);
}

// A success that comes in spite of the cancellation counts as one.
TEST(AbortByValue, IsNotWhatASuccessIsThatComesWithTheCancellation) {
  testing::simulator sim;
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s}};
  const auto fails = []() -> awaitable<error_code> { co_return asio::error::fault; };
  sim.run(b.call(fails));
  sim.run_for(1s);
  const auto stubborn = []() -> awaitable<error_code> {
    auto waiting = wait_10_s();
    co_await std::move(waiting);
    co_return error_code{};
  };
  const auto body = [&]() -> awaitable<void> { co_await b.call(stubborn); };
  test::task t(sim, body());
  sim.run_for(1s);
  t.cancel();
  sim.run_for(0s);
  EXPECT_EQ(b.state(), circuit_state::closed);
}

// An operation may have a word of its own for "I was cancelled".
TEST(ChannelCancelled, AfterTheExpiryOfATimeoutIsItsTimeout) {
  testing::simulator sim;
  using channel = asio::experimental::channel<void(error_code, int)>;
  const auto receive = [&]() -> awaitable<int> {
    channel c(co_await asio::this_coro::executor);
    auto receiving = c.async_receive(asio::use_awaitable);
    co_return co_await std::move(receiving);
  };
  EXPECT_THROW(sim.run(run_with_timeout<manual_clock>(receive(), 2s)), async_timeout_error);
  EXPECT_THROW(sim.run(timeout_m(2s).call(receive)), async_timeout_error);
  const auto by_value = [&]() -> awaitable<error_code> {
    channel c(co_await asio::this_coro::executor);
    auto receiving = c.async_receive(asio::as_tuple(asio::use_awaitable));
    const auto received = co_await std::move(receiving);
    co_return std::get<0>(received);
  };
  EXPECT_THROW(sim.run(run_with_timeout<manual_clock>(by_value(), 2s)), async_timeout_error);
}

}  // namespace
}  // namespace dspu::aio
