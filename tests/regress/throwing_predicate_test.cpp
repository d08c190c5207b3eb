// A classifier that threw inside a retry left the breaker's permit out during the retry's pause: other callers were refused,
// and the next attempt too. Whatever throws, a stage that is left holds nothing.
#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using breaker = basic_circuit_breaker<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;

struct bad_predicate : std::logic_error {
  bad_predicate() : std::logic_error("the predicate throws") {}
};

struct ThrowingPredicate : ::testing::Test {
  testing::simulator sim;
  testing::script op;
  std::optional<test::task> task;
  retry_m again{{.max_attempts = 4, .strategy = backoff_strategy::constant, .base_delay = 30s, .jitter = jitter::none}};
  static constexpr auto throws = [](const outcome&) -> verdict { throw bad_predicate(); };

  // Calls through the row, and stops within its first pause.
  template <class Row>
  void call_until_the_pause(const Row& row) {
    const auto body = [](const Row& r, testing::script& s) -> awaitable<void> {
      const auto once = [&s] { return s(); };
      co_await r.call(once);
    };
    op.fails();
    task.emplace(sim, body(row, op));
    sim.run_for(1s);
    EXPECT_FALSE(task->done());
  }
  // All attempts reach the operation.
  void finish() {
    sim.run();
    EXPECT_TRUE(task->failed_with<bad_predicate>());
    EXPECT_EQ(op.calls(), 4U);
  }
  static breaker half_open(circuit_breaker_options o) {
    o.failure_threshold = 1;
    o.success_threshold = 1;
    return breaker(std::move(o));
  }
};

TEST_F(ThrowingPredicate, OfABreakerGivesTheProbesPlaceBackBeforeThePause) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .classify = throws}};
  b.open_until(manual_clock::now());
  call_until_the_pause(again | b);
  EXPECT_TRUE(b.try_permit());
  finish();
}

TEST_F(ThrowingPredicate, ThatReadsABreakersHintGivesTheProbesPlaceBackBeforeThePause) {
  breaker b{{.failure_threshold = 1,
             .success_threshold = 1,
             .retry_after = [](const outcome&) -> std::optional<duration> { throw bad_predicate(); }}};
  b.open_until(manual_clock::now());
  call_until_the_pause(again | b);
  EXPECT_TRUE(b.try_permit());
  finish();
}

TEST_F(ThrowingPredicate, OfAnAdaptiveLimitGivesThePlaceBackBeforeThePause) {
  basic_adaptive_concurrency<manual_clock> width{{.initial = 1, .max = 1, .classify = throws}};
  call_until_the_pause(again | width);
  EXPECT_EQ(width.in_flight(), 0);
  finish();
}

TEST_F(ThrowingPredicate, OfAThrottleKeepsNothing) {
  basic_throttle<manual_clock> polite{{.min_requests = 100, .classify = throws}};
  bulkhead narrow{{.limit = 1}};
  call_until_the_pause(again | narrow | polite);
  EXPECT_EQ(narrow.in_flight(), 0);
  finish();
}

TEST_F(ThrowingPredicate, OfAFallbackKeepsNothing) {
  fallback<int (*)(const outcome&)> instead([](const outcome&) { return 1; }, {.classify = throws});
  bulkhead narrow{{.limit = 1}};
  call_until_the_pause(again | narrow | instead);
  EXPECT_EQ(narrow.in_flight(), 0);
  finish();
}

TEST_F(ThrowingPredicate, OfAnInnerRetryKeepsNothing) {
  bulkhead narrow{{.limit = 1}};
  call_until_the_pause(again | narrow | retry_m{{.classify = throws}});
  EXPECT_EQ(narrow.in_flight(), 0);
  finish();
}

TEST_F(ThrowingPredicate, OfAHedgeKeepsNothing) {
  basic_hedge<manual_clock> twice{{.classify = throws}};
  bulkhead narrow{{.limit = 1}};
  call_until_the_pause(again | narrow | twice);
  EXPECT_EQ(narrow.in_flight(), 0);
  finish();
}

// On the way down, where the row had none to catch it.
TEST_F(ThrowingPredicate, OfAThrottlesRandomSourceIsAFailureForTheRetryAround) {
  basic_throttle<manual_clock> polite{{.min_requests = 0, .random = []() -> double { throw bad_predicate(); }}};
  bulkhead narrow{{.limit = 1}};
  limiter_m limiter{{.rate = 1, .per = 1h, .capacity = 2}};
  call_until_the_pause(again | narrow | limiter | polite);
  EXPECT_EQ(narrow.in_flight(), 0);
  EXPECT_EQ(limiter.tokens(), 2);
  sim.run();
  EXPECT_TRUE(task->failed_with<bad_predicate>());
  EXPECT_EQ(sim.elapsed(), 90s);
}

TEST_F(ThrowingPredicate, ThatGivesAKeysOptionsIsAFailureForTheRetryAround) {
  keyed<breaker> all{[](std::string_view) -> circuit_breaker_options { throw bad_predicate(); }};
  bulkhead narrow{{.limit = 1}};
  auto row = again | narrow | all.by([](const std::string& key) { return key; });
  const auto body = [&]() -> awaitable<void> {
    const auto fails = [](const std::string&) -> awaitable<int> { co_return 1; };
    co_await row.call(fails, std::string("key"));
  };
  EXPECT_THROW(sim.run(body()), bad_predicate);
}

TEST_F(ThrowingPredicate, OfARetryEndsItsCallAndLeavesTheBudgetAlone) {
  retry_m once{{.classify = throws}};
  op.fails();
  EXPECT_THROW(sim.run(once.call([this] { return op(); })), bad_predicate);
  EXPECT_EQ(op.calls(), 1U);
}

TEST_F(ThrowingPredicate, OfABreakerCountsNothing) {
  breaker b{{.failure_threshold = 1, .classify = throws}};
  op.fails();
  EXPECT_THROW(sim.run(b.call([this] { return op(); })), bad_predicate);
  EXPECT_EQ(b.state(), circuit_state::closed);
}

}  // namespace
}  // namespace dspu::aio
