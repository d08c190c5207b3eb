// What a call through policies allocates once all has come to rest: coroutine frames and handlers, which Asio
// recycles, are all there is, and what else there is is named.
#include "support/allocations.hpp"

#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <string>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

constexpr int any_threads = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT;
constexpr int one_thread = 1;
constexpr int warm_up = 64;
constexpr int calls = 256;

awaitable<int> ready() { co_return 1; }
awaitable<int> yield_once() {
  co_await asio::post(asio::use_awaitable);
  co_return 1;
}

// What a policy must come to: the operation in one coroutine of the caller's own. Asio 1.81 keeps two frames
// of each thread for the next to come, so that deeper ones are allocated; they are not the policies'.
template <class Op>
awaitable<int> by_hand(Op op) {
  auto running = op();
  co_return co_await std::move(running);
}

template <class Call>
awaitable<void> repeat(const Call* call, int* sum, std::int64_t* spent) {
  std::int64_t before = 0;
  for (int i = 0; i < warm_up + calls; ++i) {
    if (i == warm_up) before = test::allocations().calls;
    auto one = (*call)();
    *sum += co_await std::move(one);
  }
  *spent = test::allocations().calls - before;
}

// Of a call, in a coroutine that makes one after the other.
template <class Call>
double allocations_of(int concurrency_hint, const Call& call) {
  asio::io_context context(concurrency_hint);
  int sum = 0;
  std::int64_t spent = 0;
  std::exception_ptr error;
  asio::co_spawn(context, repeat(&call, &sum, &spent), [&](std::exception_ptr e) { error = e; });
  context.run();
  if (error) std::rethrow_exception(error);
  EXPECT_EQ(sum, warm_up + calls);
  return static_cast<double>(spent) / calls;
}

// Whether the operation is ready or not, and whether the context is known to have one thread.
template <class Through>
std::array<double, 4> allocations_in_all_ways(const Through& through) {
  const auto at_once = [&] { return through(ready); };
  const auto later = [&] { return through(yield_once); };
  return {allocations_of(one_thread, at_once), allocations_of(one_thread, later),
          allocations_of(any_threads, at_once), allocations_of(any_threads, later)};
}

// At -O0 clang keeps every temporary of a coroutine in its frame, which makes it too large to be kept.
#if defined(__clang__) && !defined(__OPTIMIZE__)
constexpr bool frames_are_small = false;
#else
constexpr bool frames_are_small = true;
#endif

class Allocations : public ::testing::Test {
 protected:
  retry again;
  circuit_breaker breaker;
  rate_limiter limiter{{.rate = 1e9}};
  bulkhead places;
  throttle polite;
  adaptive_rate pace;

  using counts = std::array<double, 4>;

  template <class Pipeline>
  counts of(const Pipeline& p) {
    return allocations_in_all_ways([&p](auto op) { return p.call(op); });
  }
  const counts floor = allocations_in_all_ways([](auto op) { return by_hand(op); });
};

TEST_F(Allocations, AreSeen) {
  const auto one = []() -> awaitable<int> {
    auto p = std::make_unique<int>(1);
    asm volatile("" : : "r"(p.get()) : "memory");  // not optimised away
    co_return *p;
  };
  EXPECT_EQ(allocations_of(one_thread, one), 1);
  EXPECT_EQ(allocations_of(one_thread, [] { return ready(); }), 0);
  EXPECT_EQ(floor[0], 0);
  EXPECT_EQ(floor[2], 0);
}

TEST_F(Allocations, AreNoneInAPipelineOfFive) {
  if (!frames_are_small) GTEST_SKIP();
  EXPECT_EQ(of(again | breaker | limiter | places | polite), floor);
}

TEST_F(Allocations, AreNoneInAPipelineOfFiveWithATimeout) {
  if (!frames_are_small) GTEST_SKIP();
  EXPECT_EQ(of(timeout(10s) | again | breaker | limiter | places), floor);
}

// Asio 1.81 keeps no frame of more than 1,020 bytes for the next call, and each timeout adds a hundred.
TEST_F(Allocations, AreTwoWhereTheFrameIsTooLargeToBeKept) {
  const counts seen = of(timeout(10s) | again | breaker | limiter | timeout(2s));
  for (const double n : seen) EXPECT_LE(n, 2);
}

TEST_F(Allocations, AreNoneInEachPolicyByItself) {
  EXPECT_EQ(of(pipe(again)), floor);
  EXPECT_EQ(of(pipe(breaker)), floor);
  EXPECT_EQ(of(pipe(limiter)), floor);
  EXPECT_EQ(of(pipe(places)), floor);
  EXPECT_EQ(of(pipe(polite)), floor);
  EXPECT_EQ(of(pipe(pace)), floor);
  EXPECT_EQ(of(pipe(timeout(1s))), floor);
}

// What so many coroutines of one context allocate to be suspended in `wait`.
template <class Wait>
std::int64_t allocations_to_suspend(int n, const Wait& wait) {
  asio::io_context context(one_thread);
  for (int i = 0; i < n; ++i) asio::co_spawn(context, wait(), asio::detached);
  const auto before = test::allocations().calls;
  context.poll();
  return test::allocations().calls - before;
}

TEST_F(Allocations, AreTheirFramesAloneForThoseWhoWait) {
  rate_limiter empty{{.rate = 1e-3, .capacity = 1.0}};
  EXPECT_TRUE(empty.try_acquire());
  const auto wait = [&]() -> awaitable<void> { co_await empty.acquire(); };
  allocations_to_suspend(1, wait);  // the limiter's record of the event loops whose coroutines wait is kept
  EXPECT_EQ(allocations_to_suspend(128, wait) - allocations_to_suspend(64, wait), 64);
}

TEST_F(Allocations, AreNoneToLookUpAKey) {
  if (!frames_are_small) GTEST_SKIP();
  keyed<rate_limiter> limiters{{.rate = 1e9}};
  keyed<circuit_breaker> breakers{{}};
  const std::string host = "a name that is too long for a string to keep inside itself";
  const auto host_of = [&](int) -> const std::string& { return host; };
  const auto p = breakers.by(host_of) | limiters.by(host_of);
  const auto call = [&] { return p.call([](int) { return ready(); }, 1); };
  EXPECT_EQ(allocations_of(one_thread, call), 0);
  const auto direct = [&] { return limiters.call(host, ready); };
  EXPECT_EQ(allocations_of(one_thread, direct), 0);
}

}  // namespace
}  // namespace dspu::aio
