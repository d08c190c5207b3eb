#include "dspu/aio/adaptive_concurrency.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/after.hpp"
#include "support/task.hpp"
#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using adaptive_m = basic_adaptive_concurrency<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using tasks = std::vector<std::unique_ptr<test::task>>;

// Its limit moves by one for a call that uses half of it, and to a half for a drop.
adaptive_concurrency_options aimd(std::int64_t initial) {
  return {.algorithm = limit_algorithm::aimd,
          .initial = initial,
          .aimd = {.backoff_ratio = 0.5},
          .max_queue = 100};
}

class AdaptiveConcurrency : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;

  template <class P>
  int run(P&& p) {
    return sim.run(p.call([this] { return op(); }));
  }
  template <class P>
  awaitable<void> through(P& p) {
    co_await p.call([this] { return op(); });
  }
  template <class P>
  std::unique_ptr<test::task> start(P& p) {
    return std::make_unique<test::task>(sim, through(p));
  }
};

TEST_F(AdaptiveConcurrency, LetsSoManyThroughAtOnceAndTheRestInOrder) {
  op.returns(0, 1s);
  adaptive_m width(aimd(2));
  tasks all;
  for (int i = 0; i < 4; ++i) all.push_back(start(width));
  sim.run_until(500ms);
  EXPECT_EQ(op.running(), 2u);
  EXPECT_EQ(width.in_flight(), 2);
  EXPECT_EQ(width.waiting(), 2);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(width.in_flight(), 0);
}

TEST_F(AdaptiveConcurrency, RaisesItsLimitWhileCallsUseIt) {
  op.returns(0, 1s);
  adaptive_m width(aimd(1));
  tasks all;
  for (int i = 0; i < 20; ++i) all.push_back(start(width));
  sim.run_until(1s);
  EXPECT_EQ(width.limit(), 2);
  EXPECT_EQ(op.running(), 2u) << "those in line move up as it rises";
  sim.run();
  EXPECT_GT(width.limit(), 4);
  EXPECT_LT(sim.elapsed(), 10s);
}

TEST_F(AdaptiveConcurrency, LowersItForCallsThatTimeOutInside) {
  op.hangs();
  adaptive_m width(aimd(8));
  EXPECT_THROW(run(width | timeout_m(1s)), async_timeout_error);
  EXPECT_EQ(width.limit(), 4);
}

TEST_F(AdaptiveConcurrency, SamplesNothingThatWasCancelledOrTimedOutOutside) {
  op.hangs();
  adaptive_m width(aimd(8));
  EXPECT_THROW(run(timeout_m(10s) | width), async_timeout_error);
  const auto t = start(width);
  sim.run_until(1min);
  t->cancel();
  sim.run();
  EXPECT_TRUE(t->aborted());
  EXPECT_EQ(width.limit(), 8);
  EXPECT_EQ(width.in_flight(), 0);
}

TEST_F(AdaptiveConcurrency, SamplesNothingThatAPolicyInsideRefused) {
  adaptive_m width(aimd(8));
  basic_circuit_breaker<manual_clock> breaker({.failure_threshold = 1});
  breaker.try_permit().failure();
  EXPECT_THROW(run(width | breaker), circuit_breaker_error);
  EXPECT_EQ(width.limit(), 8);
}

TEST_F(AdaptiveConcurrency, TakesTimeoutsAndWhatSaysWhenToComeBackForDropsAndOtherFailuresForNothing) {
  adaptive_m width(aimd(8));
  op.throws(scripted_failure(), 1s)
      .throws(boost::system::system_error(asio::error::timed_out), 1s)
      .throws(circuit_breaker_error(circuit_state::open, 1, 5s), 1s);  // of another client, further on
  EXPECT_THROW(run(width), scripted_failure);
  EXPECT_EQ(width.limit(), 8);
  EXPECT_THROW(run(width), boost::system::system_error);
  EXPECT_EQ(width.limit(), 4);
  EXPECT_THROW(run(width), circuit_breaker_error);
  EXPECT_EQ(width.limit(), 2);
}

TEST_F(AdaptiveConcurrency, AsksItsClassifier) {
  auto options = aimd(8);
  options.classify = [](const outcome& o) {
    const int* const status = o.get_if<int>();
    if (status == nullptr) throw std::domain_error("classifier");
    return *status == 503 ? verdict::failure : *status == 404 ? verdict::ignored : verdict::success;
  };
  adaptive_m width(options);
  op.returns(404).returns(503).fails();
  EXPECT_EQ(run(width), 404);
  EXPECT_EQ(width.limit(), 8);
  EXPECT_EQ(run(width), 503);
  EXPECT_EQ(width.limit(), 4);
  EXPECT_THROW(run(width), std::domain_error);
  EXPECT_EQ(width.in_flight(), 0) << "its place is free again";
}

TEST_F(AdaptiveConcurrency, MeasuresFromWhenACallHasItsPlace) {
  op.returns(0, 4s);
  auto options = aimd(1);
  options.max = 1;
  options.aimd.timeout = 4s;  // what takes longer counts as dropped
  adaptive_m width(options);
  tasks all;
  for (int i = 0; i < 3; ++i) all.push_back(start(width));
  sim.run();
  EXPECT_EQ(sim.elapsed(), 12s);
  options.max = 2;
  width.reconfigure(options);
  run(width);
  EXPECT_EQ(width.limit(), 2) << "no wait was taken for a latency";
}

TEST_F(AdaptiveConcurrency, RefusesWhenItsLineIsFull) {
  op.returns(0, 1s);
  auto options = aimd(1);
  options.max_queue = 1;
  adaptive_m width(options);
  const auto a = start(width);
  const auto b = start(width);
  const auto c = start(width);
  sim.run_until(0s);
  EXPECT_TRUE(c->failed_with<bulkhead_full_error>());
  sim.run();
  EXPECT_TRUE(b->succeeded());
}

TEST_F(AdaptiveConcurrency, LeavesTheLineWithItsCallerAndItsTimeout) {
  op.hangs();
  adaptive_m width(aimd(1));
  const auto a = start(width);
  const auto b = start(width);
  sim.run_until(0s);
  EXPECT_THROW(run(timeout_m(2s) | width), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 2s);
  b->cancel();
  sim.run_until(2s);
  EXPECT_TRUE(b->aborted());
  EXPECT_EQ(width.waiting(), 0);
  a->cancel();
  sim.run();
  EXPECT_EQ(width.in_flight(), 0);
}

TEST_F(AdaptiveConcurrency, SamplesEachAttemptInsideOfARetry) {
  op.throws(boost::system::system_error(asio::error::timed_out), 1s);
  adaptive_m width(aimd(8));
  const basic_retry<manual_clock> again({.max_attempts = 3, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_THROW(run(again | width), boost::system::system_error);
  EXPECT_EQ(width.limit(), 1);
}

TEST_F(AdaptiveConcurrency, TellsOfItsLimitWithNumbers) {
  op.returns(0, 1s).hangs();
  adaptive_m width(aimd(1));
  test::witness seen;
  const auto p = (width | timeout_m(3s)).observed_by(seen, "p");
  run(p);
  EXPECT_THROW(run(p), async_timeout_error);
  EXPECT_EQ(seen.text(),
            "attempt_ended success seconds=1\n"
            "limit_changed adaptive_concurrency latency limit=2 in_flight=1 rtt=1 baseline=0\n"
            "call_ended success seconds=1 attempts=1\n"
            "attempt_ended timed_out seconds=3\n"
            "timed_out timeout expired limit=3\n"
            "limit_changed adaptive_concurrency dropped limit=1 in_flight=1 rtt=3 baseline=0\n"
            "call_ended timed_out seconds=3 attempts=1\n");
}

TEST_F(AdaptiveConcurrency, LearnsInShadowModeAndLetsEverybodyThrough) {
  op.returns(0, 1s);
  auto options = aimd(2);
  options.shadow = true;
  adaptive_m width(options);
  tasks all;
  for (int i = 0; i < 5; ++i) all.push_back(start(width));
  sim.run_until(0s);
  EXPECT_EQ(op.running(), 5u);
  EXPECT_EQ(width.in_flight(), 5);
  EXPECT_EQ(width.over_limit(), 3);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_GT(width.limit(), 4);
}

TEST_F(AdaptiveConcurrency, KeepsItsLimitWhenReconfigured) {
  op.hangs();
  adaptive_m width(aimd(8));
  EXPECT_THROW(run(width | timeout_m(1s)), async_timeout_error);
  auto options = aimd(8);
  options.max_queue = 0;
  width.reconfigure(options);
  EXPECT_EQ(width.limit(), 4);
  EXPECT_EQ(width.options().max_queue, 0);
  options.min = 6;
  width.reconfigure(options);
  EXPECT_EQ(width.limit(), 6);
  options.min = 9;
  EXPECT_THROW(width.reconfigure(options), std::invalid_argument);
  options = aimd(20);
  options.max_queue = -1;
  EXPECT_THROW(width.reconfigure(options), std::invalid_argument);
  EXPECT_EQ(width.limit(), 6);
  EXPECT_EQ(width.options().min, 6);
}

TEST_F(AdaptiveConcurrency, LetsAllGoWhoWaitWhenItIsPutIntoShadowMode) {
  op.returns(0, 1s);
  adaptive_m width(aimd(1));
  tasks all;
  for (int i = 0; i < 5; ++i) all.push_back(start(width));
  sim.run_until(500ms);
  auto options = aimd(1);
  options.shadow = true;
  width.reconfigure(options);
  sim.run_until(500ms);
  EXPECT_EQ(op.running(), 5u);
  sim.run();
  EXPECT_EQ(width.in_flight(), 0);
  EXPECT_EQ(width.waiting(), 0);
}

// A server that serves eight calls at once, in 100 ms each; more of them share it.
TEST_F(AdaptiveConcurrency, FindsWhatTheServerBears) {
  adaptive_m width({.algorithm = limit_algorithm::vegas, .initial = 2, .max_queue = 100, .seed = 1});
  int running = 0;
  const auto service = [&]() -> awaitable<int> {
    ++running;
    const double slower = std::max(1.0, running / 8.0);
    auto serving = test::after(std::chrono::duration_cast<duration>(100ms * slower), 0);
    co_await std::move(serving);
    --running;
    co_return 0;
  };
  const auto client = [&]() -> awaitable<void> {
    for (int i = 0; i < 60; ++i) co_await width.call(service);
  };
  tasks clients;
  for (int i = 0; i < 60; ++i) clients.push_back(std::make_unique<test::task>(sim, client()));
  sim.run();
  EXPECT_GE(width.limit(), 8);
  EXPECT_LE(width.limit(), 16);  // the eight, and the queue of up to six that vegas keeps at the server
}

TEST_F(AdaptiveConcurrency, DescribesItself) {
  adaptive_m width({.algorithm = limit_algorithm::vegas, .max_queue = 5});
  EXPECT_EQ((timeout_m(10s) | width).describe(),
            "timeout(10 s) | adaptive_concurrency(vegas, 1 to 200 at once, 5 waiting)");
}

TEST_F(AdaptiveConcurrency, RejectsBadOptions) {
  EXPECT_THROW(adaptive_concurrency({.initial = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_concurrency({.min = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_concurrency({.max = 10}), std::invalid_argument);
  EXPECT_THROW(adaptive_concurrency({.aimd = {.backoff_ratio = 1}}), std::invalid_argument);
  EXPECT_THROW(adaptive_concurrency({.max_queue = -1}), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::aio
