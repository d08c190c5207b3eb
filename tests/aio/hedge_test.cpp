#include "dspu/aio/hedge.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/core/random.hpp"
#include "dspu/testing/script.hpp"
#include "support/after.hpp"
#include "support/task.hpp"
#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using hedge_m = basic_hedge<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;

// What a quantile may make of a latency (core/latency_quantile.hpp).
duration at_most(duration latency) { return latency + latency / 32; }

class Hedge : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  hedge_m twice{{.delay = 2s}};

  template <class P>
  int run(P&& p) {
    return sim.run(p.call([this] { return op(); }));
  }
  template <class P>
  awaitable<void> through(P& p) {
    co_await p.call([this] { return op(); });
  }
  std::vector<testing::manual_clock::duration> starts() const {
    std::vector<testing::manual_clock::duration> all;
    for (const auto& c : op.log()) all.push_back(c.started - op.log().front().started);
    return all;
  }
};

TEST_F(Hedge, LeavesAloneWhatIsQuick) {
  op.returns(7, 2s - 1ns);
  EXPECT_EQ(run(twice), 7);
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(twice.hedges(), 0);
  op.returns(8);
  EXPECT_EQ(run(twice), 8);
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(Hedge, BeginsAnotherBesideOneThatTakesLong) {
  op.hangs().returns(2, 1s);
  EXPECT_EQ(run(twice), 2);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.running(), 0u);
  EXPECT_EQ(op.log()[0].how, script::ending::cancelled);
  EXPECT_EQ(twice.hedges(), 1);
  EXPECT_EQ(twice.wins(), 1);
}

TEST_F(Hedge, CancelsTheLaterOneIfTheFirstWinsAfterAll) {
  op.returns(1, 3s).returns(2, 9s);
  EXPECT_EQ(run(twice), 1);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.log()[1].how, script::ending::cancelled);
  EXPECT_EQ(twice.wins(), 0);
}

TEST_F(Hedge, BeginsTheNextAtOnceWhenOneFails) {
  op.fails(1s).returns(2, 500ms);
  EXPECT_EQ(run(twice), 2);
  EXPECT_EQ(sim.elapsed(), 1500ms);
}

TEST_F(Hedge, LetsNoFailureWinHoweverEarly) {
  op.returns(1, 9s).fails(1s);
  EXPECT_EQ(run(twice), 1);
  EXPECT_EQ(sim.elapsed(), 9s);
}

TEST_F(Hedge, FailsAsTheFirstDidIfAllFail) {
  op.throws(std::logic_error("first"), 3s).throws(std::range_error("second"), 100ms);
  EXPECT_THROW(run(twice), std::logic_error);
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Hedge, FailsWithoutWaitingIfAllFailWithoutWaiting) {
  op.throws(std::logic_error("first")).throws(std::range_error("others"));
  hedge_m many({.max_hedges = 100, .delay = 2s});
  EXPECT_THROW(run(many), std::logic_error);
  EXPECT_EQ(op.calls(), 101u);
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST_F(Hedge, BeginsOneEveryDelayUpToSoMany) {
  op.hangs();
  hedge_m many({.max_hedges = 3, .delay = 2s});
  test::task t(sim, through(many));
  sim.run_until(1h);
  EXPECT_EQ(starts(), (std::vector<duration>{0s, 2s, 4s, 6s}));
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, BeginsAllAtOnceWithoutADelay) {
  op.returns(1, 3s).returns(2, 2s).returns(3, 1s);
  hedge_m race({.max_hedges = 2, .delay = 0s});
  EXPECT_EQ(run(race), 3);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(Hedge, OnlyFollowsFailuresIfTheDelayIsForEver) {
  op.fails(1h).returns(2, 1h);
  hedge_m other({.delay = duration::max()});
  EXPECT_EQ(run(other), 2);
  EXPECT_EQ(sim.elapsed(), 2h);
}

TEST_F(Hedge, WaitsForALoserThatIgnoresItsCancellation) {
  op.returns(1, 10s).ignoring_cancellation().returns(2, 1s);
  EXPECT_EQ(run(twice), 2);
  EXPECT_EQ(sim.elapsed(), 10s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, CancelsAllWithItsCaller) {
  op.hangs();
  test::task t(sim, through(twice));
  sim.at(3s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, BeginsNothingOnceItsCallerIsCancelled) {
  op.hangs();
  test::task t(sim, through(twice));
  sim.at(1s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Hedge, SaysWhatTheFirstFailedWithIfCancelledAfterThat) {
  op.fails(1s).hangs();
  test::task t(sim, through(twice));
  sim.at(3s, [&] { t.cancel(); });
  sim.run();
  ASSERT_TRUE(t.failed_with<cancelled_error>());
  EXPECT_TRUE(t.aborted());
  try {
    std::rethrow_exception(t.error());
  } catch (const cancelled_error& e) {
    EXPECT_TRUE(test::holds<scripted_failure>(e.last_error()));
  }
}

TEST_F(Hedge, KeepsAResultThatComesInSpiteOfTheCancellation) {
  op.returns(1, 5s).ignoring_cancellation();
  test::task t(sim, through(twice));
  sim.at(1s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.succeeded());
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Hedge, IsInterruptedByATimeoutOutside) {
  op.hangs();
  EXPECT_THROW(run(timeout_m(5s) | twice), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, IsBlamedForNoTimeoutAfterAFailure) {
  op.fails(1s).hangs();
  EXPECT_THROW(run(timeout_m(5s) | twice), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 5s);
}

TEST_F(Hedge, HasATimeoutInsideForEachAttempt) {
  op.hangs().hangs().returns(3, 1s);
  hedge_m many({.max_hedges = 2, .delay = 2s});
  EXPECT_EQ(run(many | timeout_m(3s)), 3);
  EXPECT_EQ(starts(), (std::vector<duration>{0s, 2s, 3s}));
  EXPECT_EQ(sim.elapsed(), 4s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, BeginsNothingThatCannotEndBeforeTheDeadline) {
  op.hangs();
  EXPECT_THROW(run(timeout_m(2s) | twice), async_timeout_error);
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Hedge, BeginsNothingIfLessIsLeftThanTheFastestTook) {
  hedge_m quick({.delay = 9s, .quantile = 1, .min_samples = 1});
  op.returns(1, 4s);
  run(quick);
  const auto fastest = quick.delay();
  EXPECT_GE(fastest, 4s);
  EXPECT_LE(fastest, at_most(4s));
  op.hangs();
  EXPECT_THROW(run(timeout_m(2 * fastest) | quick), async_timeout_error);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_THROW(run(timeout_m(2 * fastest + 1ms) | quick), async_timeout_error);
  EXPECT_EQ(op.calls(), 4u);
}

TEST_F(Hedge, CountsItsLosersInNoBreakerInside) {
  breaker_m breaker({.failure_threshold = 1});
  op.hangs().returns(2, 1s);
  EXPECT_EQ(run(twice | breaker), 2);
  EXPECT_EQ(breaker.state(), circuit_state::closed);
  EXPECT_EQ(breaker.failure_count(), 0);
}

TEST_F(Hedge, AsksABreakerInsideForEachAttempt) {
  breaker_m breaker({.failure_threshold = 2});
  op.fails();
  EXPECT_THROW(run(twice | breaker), scripted_failure);
  EXPECT_EQ(breaker.state(), circuit_state::open);
}

TEST_F(Hedge, CountsAsOneCallInABreakerOutside) {
  breaker_m breaker({.failure_threshold = 2});
  op.fails();
  EXPECT_THROW(run(breaker | twice), scripted_failure);
  EXPECT_EQ(breaker.failure_count(), 1);
}

TEST_F(Hedge, HidesNoRefusalInsideFromThoseOutside) {
  breaker_m breaker({.failure_threshold = 1});
  breaker_m inner({.failure_threshold = 1});
  limiter_m limiter({.rate = 1, .capacity = 5});
  inner.try_permit().failure();
  EXPECT_THROW(run(breaker | limiter | twice | inner), circuit_breaker_error);
  EXPECT_EQ(breaker.failure_count(), 0) << "what a policy inside refused is no outcome";
  EXPECT_EQ(limiter.tokens(), 5) << "its token goes back";
  EXPECT_EQ(op.calls(), 0u);
  op.returns(1);
  EXPECT_EQ(run(breaker | limiter | twice), 1);
  EXPECT_EQ(limiter.tokens(), 4);
}

TEST_F(Hedge, ChargesEachAttemptInALimiterInside) {
  limiter_m limiter({.rate = 0.001, .capacity = 5});
  op.hangs().returns(2, 1s);
  EXPECT_EQ(run(twice | limiter), 2);
  EXPECT_NEAR(limiter.tokens(), 3, 0.01);
}

TEST_F(Hedge, LeavesTheLineOfALimiterInsideWhenItHasLost) {
  limiter_m limiter({.rate = 0.1, .capacity = 1});
  op.returns(1, 3s);
  EXPECT_EQ(run(twice | limiter), 1);
  EXPECT_EQ(limiter.waiters(), 0u);
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Hedge, IsRetriedAsAWhole) {
  op.fails().fails().hangs().returns(4, 1s);
  const retry_m again({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_EQ(run(again | twice), 4);
  EXPECT_EQ(sim.elapsed(), 4s);
}

TEST_F(Hedge, RetriesEachAttemptInside) {
  op.fails().hangs().fails().returns(4, 1s);
  const retry_m again({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_EQ(run(twice | again), 4);  // attempts at 0 and 1 s; beside them at 2 and 3 s
  EXPECT_EQ(starts(), (std::vector<duration>{0s, 1s, 2s, 3s}));
  EXPECT_EQ(sim.elapsed(), 4s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, StandsInsideAnother) {
  op.hangs().hangs().hangs().returns(9, 1s);
  hedge_m outer({.delay = 5s});
  EXPECT_EQ(run(outer | twice), 9);  // at 0 and 2 s; beside them at 5 and 7 s
  EXPECT_EQ(sim.elapsed(), 8s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, StandsBetweenTimeoutsRetriesAndBreakers) {
  breaker_m breaker({.failure_threshold = 10});
  op.hangs().fails(1s).hangs().returns(5, 500ms);
  const retry_m again({.max_attempts = 3, .base_delay = 1s, .jitter = jitter::none});
  const auto p = timeout_m(20s) | again | twice | breaker | timeout_m(3s);
  EXPECT_EQ(run(p), 5);  // 0 s times out at 3, 2 s fails at 3; again at 4 s, and beside it at 6
  EXPECT_EQ(sim.elapsed(), 6500ms);
  EXPECT_EQ(breaker.failure_count(), 0);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, TakesWhatItsClassifierAccepts) {
  op.throws(std::logic_error("not found"), 1s);
  hedge_m strict({.delay = 2s, .classify = ignoring<std::logic_error>()});
  EXPECT_THROW(run(strict), std::logic_error);
  EXPECT_EQ(op.calls(), 1u);

  op.returns(503, 1s).returns(200, 1s);
  hedge_m picky({.delay = 2s, .classify = [](const outcome& o) {
                   const int* const status = o.get_if<int>();
                   return status != nullptr && *status >= 500 ? verdict::failure : verdict::success;
                 }});
  EXPECT_EQ(run(picky), 200);
}

TEST_F(Hedge, ReturnsTheFirstValueIfNoneIsAcceptable) {
  hedge_m picky({.delay = 2s, .classify = [](const outcome&) { return verdict::failure; }});
  op.returns(501, 1s).returns(502, 1s);
  EXPECT_EQ(run(picky), 501);
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(Hedge, EndsWithWhatItsClassifierThrows) {
  hedge_m broken(
      {.delay = 2s, .classify = [](const outcome&) -> verdict { throw std::domain_error("classifier"); }});
  op.returns(1, 3s).returns(2, 9s);
  EXPECT_THROW(run(broken), std::domain_error);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(Hedge, SuppressesOnlyNewAttemptsWhenItsBudgetIsSpent) {
  retry_budget budget({.min_retries_per_second = 0.1, .retries_per_call = 0});  // one in ten seconds
  hedge_m bounded({.max_hedges = 2, .delay = 2s, .budget = &budget});
  op.hangs().returns(2, 5s);
  EXPECT_EQ(run(bounded), 2);
  EXPECT_EQ(op.calls(), 2u) << "the third was not begun, the second went on";
  EXPECT_EQ(sim.elapsed(), 7s);
  op.returns(3, 4s);
  EXPECT_EQ(run(bounded), 3);
  EXPECT_EQ(op.calls(), 3u);
}

TEST_F(Hedge, IsChargedToTheBudgetOfTheRetryAround) {
  retry_budget budget({.min_retries_per_second = 0.1, .retries_per_call = 0});
  const retry_m again({.max_attempts = 5, .base_delay = 1s, .jitter = jitter::none, .budget = &budget});
  op.fails();
  EXPECT_THROW(run(again | twice), scripted_failure);
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(Hedge, TellsAttemptsWhichTheyAre) {
  const std::vector<std::string> replicas{"a", "b", "c"};
  hedge_m spread({.max_hedges = 2, .delay = 1s});
  std::string asked;
  const auto ask = [&](const call_context& c, const std::string& path) -> awaitable<std::string> {
    const std::string& host = replicas[static_cast<std::size_t>(c.hedge)];
    asked += host;
    co_await test::after(host == "c" ? 1s : 1h, 0);
    co_return host + path;
  };
  EXPECT_EQ(sim.run(spread.call(ask, std::string("/x"))), "c/x");
  EXPECT_EQ(asked, "abc");
}

TEST_F(Hedge, GivesMoveOnlyResultsAndNone) {
  int calls = 0;
  const auto make = [&]() -> awaitable<std::unique_ptr<int>> {
    co_await test::after(++calls == 1 ? 1h : 1s, 0);
    co_return std::make_unique<int>(calls);
  };
  EXPECT_EQ(*sim.run(twice.call(make)), 2);
  const auto store = [&]() -> awaitable<void> { co_await test::after(++calls == 3 ? 1h : 1s, 0); };
  sim.run(twice.call(store));
  EXPECT_EQ(calls, 4);
}

TEST_F(Hedge, DecoratesAndGoesWithinABudget) {
  op.hangs().returns(2, 1s);
  const auto quick = twice([this] { return op(); });
  EXPECT_EQ(sim.run(quick()), 2);
  call_context outer;
  outer.deadline = core::instant_of(sim.now() + 1s);
  EXPECT_EQ(sim.run(twice.call_in(outer, [this] { return op(); })), 2);
}

TEST_F(Hedge, WaitsForTheQuantileOfWhatItHasSeen) {
  hedge_m h({.delay = 9s, .quantile = 0.5, .min_samples = 4});
  op.returns(0, 1s).returns(0, 2s).returns(0, 3s).returns(0, 4s);
  for (int i = 0; i < 3; ++i) run(h);
  EXPECT_EQ(h.delay(), 9s);
  run(h);
  EXPECT_GE(h.delay(), 2s);
  EXPECT_LE(h.delay(), at_most(2s));
}

TEST_F(Hedge, CountsNoFailureAndNoCancelledCallAsALatency) {
  hedge_m h({.max_hedges = 0, .delay = 9s, .quantile = 1, .min_samples = 1});
  op.fails(1s).hangs();
  EXPECT_THROW(run(h), scripted_failure);
  EXPECT_THROW(run(timeout_m(1s) | h), async_timeout_error);
  EXPECT_EQ(h.delay(), 9s);
}

TEST_F(Hedge, KeepsWhatItHasSeenWhenReconfigured) {
  hedge_m h({.delay = 9s, .quantile = 1, .min_samples = 2});
  op.returns(0, 1s);
  run(h);
  EXPECT_EQ(h.delay(), 9s);
  h.reconfigure({.delay = 8s, .quantile = 1, .window = 1h, .min_samples = 1});
  EXPECT_GE(h.delay(), 1s);
  EXPECT_LE(h.delay(), at_most(1s));
  EXPECT_THROW(h.reconfigure({.delay = -1s}), std::invalid_argument);
  EXPECT_THROW(h.reconfigure({.window = 0s}), std::invalid_argument);
  EXPECT_GE(h.delay(), 1s);
  h.reconfigure({.delay = 7s});
  EXPECT_EQ(h.delay(), 7s);
}

TEST_F(Hedge, GoesOnByItsOldOptionsInACallUnderWay) {
  op.hangs();
  test::task t(sim, through(twice));
  sim.at(1s, [&] { twice.reconfigure({.max_hedges = 0}); });
  sim.at(3s, [&] { t.cancel(); });
  sim.run();
  EXPECT_EQ(op.calls(), 2u);
}

// Exponential latencies. A quantile of those who answered only, without the first attempts that lost, would
// sink.
TEST_F(Hedge, HedgesOneCallInTwentyHoweverLongItGoesOn) {
  hedge_m h({.delay = 5s, .quantile = 0.95, .window = 1h});
  core::random_source random(7);
  const auto service = [&]() -> awaitable<int> {
    const double seconds = -std::log(1 - random.unit());
    return test::after(std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds)), 1);
  };
  constexpr int calls = 3'000;
  for (int i = 0; i < calls; ++i) sim.run(h.call(service));
  EXPECT_NEAR(static_cast<double>(h.hedges()) / calls, 0.05, 0.015);
  EXPECT_NEAR(std::chrono::duration<double>(h.delay()).count(), std::log(20.0), 0.3);
}

TEST_F(Hedge, OnlyTellsInShadowMode) {
  op.returns(1, 5s);
  hedge_m shadow({.max_hedges = 3, .delay = 2s, .shadow = true});
  test::witness seen;
  EXPECT_EQ(run(pipe(shadow).observed_by(seen, "p")), 1);
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_EQ(shadow.hedges(), 1);
  EXPECT_EQ(seen.text(),
            "shadowed hedge slow hedge=1 delay=2 seconds=2\n"
            "attempt_ended success seconds=5\n"
            "call_ended success seconds=5 attempts=1\n");
}

TEST_F(Hedge, TellsWithNumbers) {
  op.fails(1s).hangs().returns(3, 1s);
  hedge_m many({.max_hedges = 2, .delay = 2s});
  test::witness seen;
  EXPECT_EQ(run((timeout_m(1h) | many).observed_by(seen, "p")), 3);
  EXPECT_EQ(seen.text(),
            "attempt_ended failure seconds=1\n"
            "hedged hedge failed hedge=1 delay=2 seconds=1\n"
            "hedged hedge slow hedge=2 delay=2 seconds=2\n"
            "attempt_ended success seconds=1\n"
            "hedge_won hedge hedge=2 seconds=1 since_call=4\n"
            "attempt_ended cancelled seconds=3\n"
            "call_ended success seconds=4 attempts=3\n");
}

TEST_F(Hedge, DescribesItself) {
  hedge_m h({.max_hedges = 2, .delay = 3s, .quantile = 0.95});
  EXPECT_EQ(
      (timeout_m(10s) | twice | h).describe(),
      "timeout(10 s) | hedge(1 more, after 2 s) | hedge(2 more, after the 95 % quantile, at first 3 s)");
  EXPECT_TRUE(pipe(h).facts()[0].concurrent_runs);
  EXPECT_EQ(pipe(h).facts()[0].runs, 3);
}

TEST_F(Hedge, RejectsBadOptions) {
  EXPECT_THROW(hedge({.max_hedges = -1}), std::invalid_argument);
  EXPECT_THROW(hedge({.max_hedges = 101}), std::invalid_argument);
  EXPECT_THROW(hedge({.delay = -1ns}), std::invalid_argument);
  EXPECT_THROW(hedge({.quantile = 1.1}), std::invalid_argument);
  EXPECT_THROW(hedge({.min_delay = -1ns}), std::invalid_argument);
  EXPECT_THROW(hedge({.window = 1ns}), std::invalid_argument);
  EXPECT_THROW(hedge({.min_samples = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::aio
