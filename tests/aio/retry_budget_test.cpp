#include "dspu/aio/retry_budget.hpp"

#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using retry_m = basic_retry<manual_clock>;

retry_options options(retry_budget* b) {
  return {.max_attempts = 10, .base_delay = 1s, .max_delay = 1s, .jitter = jitter::none, .budget = b};
}

class RetryBudget : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  // Two retries, and no more come by time.
  retry_budget budget{{.min_retries_per_second = 0.2, .retries_per_call = 0}};

  double left() { return budget.balance(core::instant_of(manual_clock::now())); }
  template <class P>
  int run(const P& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(RetryBudget, EndsTheCallWithTheRealErrorAndWithoutAPause) {
  op.fails();
  EXPECT_THROW(run(pipe(retry_m(options(&budget)))), scripted_failure);
  EXPECT_EQ(op.calls(), 3u);
  EXPECT_EQ(sim.elapsed(), 2s);
}

TEST_F(RetryBudget, IsSharedByAllRetriesThatHaveIt) {
  op.fails();
  EXPECT_THROW(run(pipe(retry_m(options(&budget)))), scripted_failure);
  EXPECT_THROW(run(pipe(retry_m(options(&budget)))), scripted_failure);
  EXPECT_EQ(op.calls(), 4u);
}

TEST_F(RetryBudget, OfAnOuterRetryChargesAnInnerOne) {
  op.fails();
  auto once = options(&budget);
  once.max_attempts = 1;
  EXPECT_THROW(run(retry_m(once) | retry_m(options(nullptr))), scripted_failure);
  EXPECT_EQ(op.calls(), 3u);
}

TEST_F(RetryBudget, GetsBackTheRetryOfACancelledPause) {
  op.fails();
  const auto p = pipe(retry_m(options(&budget)));
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(500ms, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(left(), 2);
}

TEST(RetryBudgetDestroyed, GetsBackTheRetryOfAPause) {
  script op;
  op.fails();
  retry_budget budget{{.min_retries_per_second = 0.2, .retries_per_call = 0}};
  const auto left = [&] { return budget.balance(core::instant_of(manual_clock::now())); };
  const auto p = pipe(retry_m(options(&budget)));
  const auto body = [&]() -> awaitable<void> { co_await p.call([&] { return op(); }); };
  {
    testing::simulator sim;
    sim.spawn(body());
    sim.run_until(500ms);
    EXPECT_EQ(op.calls(), 1u);
    EXPECT_EQ(left(), 1);
  }
  EXPECT_EQ(left(), 2);
}

TEST_F(RetryBudget, IsChargedByCallsOutsideOfPipelinesToo) {
  op.fails();
  EXPECT_THROW(run(retry_m(options(&budget))), scripted_failure);
  EXPECT_EQ(op.calls(), 3u);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(left(), 0);
}

TEST_F(RetryBudget, GetsBackTheRetryOfACancelledPauseOfSuchACall) {
  op.fails();
  const retry_m again(options(&budget));
  const auto body = [&]() -> awaitable<void> { co_await again.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.run_until(500ms);
  EXPECT_EQ(left(), 1);
  t.cancel();
  sim.run();
  EXPECT_EQ(left(), 2);
}

}  // namespace
}  // namespace dspu::aio
