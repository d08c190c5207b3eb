#include "dspu/aio/observer.hpp"

#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/event_log.hpp"
#include "support/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;

retry_options plain(std::int64_t attempts, duration pause) {
  return {.max_attempts = attempts,
          .strategy = backoff_strategy::constant,
          .base_delay = pause,
          .jitter = jitter::none};
}

class Observer : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  test::event_log log;

  // How the call through it ended, in a word; what it told is in the log.
  template <class P>
  bool run(const P& p, classifier judge = nullptr) {
    try {
      sim.run(p.observed_by(log, "catalog", std::move(judge)).call([this] { return op(); }));
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }
};

TEST_F(Observer, HearsOfAttemptsPausesAndTheCall) {
  op.fails(1s).returns(7, 2s);
  EXPECT_TRUE(run(pipe(retry_m(plain(5, 3s)))));
  EXPECT_THAT(log.lines(),
              ElementsAre("attempt_ended failure seconds=1",
                          "retry_scheduled retry backoff attempt=1 max_attempts=5 delay=3",
                          "attempt_ended success seconds=2", "call_ended success seconds=6 attempts=2"));
  EXPECT_THAT(log.attempts(), ElementsAre(1, 1, 2, 1));
  EXPECT_THAT(log.had_error(), ElementsAre(true, true, false, false));
}

TEST_F(Observer, TellsCallsApart) {
  op.returns(1);
  EXPECT_TRUE(run(pipe(retry_m(plain(5, 3s)))));
  EXPECT_TRUE(run(pipe(retry_m(plain(5, 3s)))));
  const auto& calls = log.calls();
  ASSERT_EQ(calls.size(), 4u);
  EXPECT_EQ(calls[0], calls[1]);
  EXPECT_EQ(calls[2], calls[3]);
  EXPECT_NE(calls[0], calls[2]);
}

TEST_F(Observer, HearsWhyARetryGaveUp) {
  op.fails();
  EXPECT_FALSE(run(pipe(retry_m(plain(2, 1s)))));
  EXPECT_THAT(log.of(event_kind::retry_gave_up),
              ElementsAre("retry_gave_up retry attempts_exhausted attempt=2 max_attempts=2"));
  log.clear();
  EXPECT_FALSE(run(timeout_m(5s) | retry_m(plain(9, 7s))));
  EXPECT_THAT(log.of(event_kind::retry_gave_up),
              ElementsAre("retry_gave_up retry deadline attempt=1 max_attempts=9 delay=7 remaining=5"));
  EXPECT_THAT(log.of(event_kind::call_ended), ElementsAre("call_ended refused seconds=0 attempts=1"));
}

TEST_F(Observer, HearsTheBudgetOfRetries) {
  retry_budget budget{{.min_retries_per_second = 0, .retries_per_call = 1}};
  auto options = plain(9, 1s);
  options.budget = &budget;
  op.fails();
  EXPECT_FALSE(run(pipe(retry_m(options))));
  EXPECT_THAT(log.of(event_kind::retry_scheduled),
              ElementsAre("retry_scheduled retry backoff attempt=1 max_attempts=9 delay=1 budget=0"));
  EXPECT_THAT(log.of(event_kind::retry_gave_up),
              ElementsAre("retry_gave_up retry budget_exhausted attempt=2 max_attempts=9 budget=0"));
}

TEST_F(Observer, HearsWhyABreakerOpenedRefusedAndClosed) {
  breaker_m breaker{{.failure_threshold = 2, .success_threshold = 1, .timeout = 60s}};
  op.fails().fails().returns(1);
  EXPECT_FALSE(run(pipe(breaker)));
  EXPECT_FALSE(run(pipe(breaker)));
  sim.run_for(20s);
  EXPECT_FALSE(run(pipe(breaker)));
  sim.run_for(40s);
  EXPECT_TRUE(run(pipe(breaker)));
  const std::string window = " window_calls=0 window_failures=0 window_slow=0";
  EXPECT_THAT(
      log.lines(),
      ElementsAre(
          "attempt_ended failure seconds=0", "call_ended failure seconds=0 attempts=1",
          "attempt_ended failure seconds=0",
          "state_changed circuit_breaker failures [open] generation=1 failure_count=2 success_count=0" +
              window + " probes=0 reopenings=0 limit=2 open_for=60",
          "call_ended failure seconds=0 attempts=1",
          "refused circuit_breaker open [open] generation=1 failure_count=2 success_count=0" + window +
              " probes=0 reopenings=0 retry_after=40",
          "call_ended refused seconds=0 attempts=0",
          "state_changed circuit_breaker timeout_over [half_open] generation=2 failure_count=2 "
          "success_count=0" +
              window + " probes=1 reopenings=0",
          "attempt_ended success seconds=0",
          "state_changed circuit_breaker probes_succeeded [closed] generation=3 failure_count=0 "
          "success_count=0" +
              window + " probes=0 reopenings=0 limit=1",
          "call_ended success seconds=0 attempts=1"));
}

TEST_F(Observer, HearsTheRateThatOpenedABreaker) {
  breaker_m breaker{
      {.failure_threshold = 0, .timeout = 5s, .window = {.calls = 4, .min_calls = 4, .failure_rate = 0.5}}};
  op.fails().returns().returns().fails();
  for (int i = 0; i < 4; ++i) run(pipe(breaker));
  EXPECT_THAT(
      log.of(event_kind::state_changed),
      ElementsAre("state_changed circuit_breaker failure_rate [open] generation=1 failure_count=1 "
                  "success_count=0 window_calls=4 window_failures=2 window_slow=0 probes=0 reopenings=0 "
                  "limit=0.5 open_for=5"));
}

TEST_F(Observer, HearsWhomABreakerThatOnlyWatchesWouldHaveRefused) {
  breaker_m breaker{{.failure_threshold = 1, .timeout = 60s, .metrics_only = true}};
  op.fails().returns(1);
  EXPECT_FALSE(run(pipe(breaker)));
  EXPECT_TRUE(run(pipe(breaker)));
  EXPECT_THAT(log.of(event_kind::shadowed),
              ElementsAre("shadowed circuit_breaker open [open] generation=1 failure_count=1 success_count=0 "
                          "window_calls=0 window_failures=0 window_slow=0 probes=0 reopenings=0"));
}

TEST_F(Observer, HearsWhatALimiterMadeWaitAndRefused) {
  limiter_m limiter{{.rate = 1, .capacity = 1, .max_waiters = 0}};
  limiter_m patient{{.rate = 1, .capacity = 1}};
  op.returns(1);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(run(pipe(patient)));
  EXPECT_THAT(log.of(event_kind::waited),
              ElementsAre("waited rate_limiter tokens seconds=1 tokens=0 waiting=0"));
  EXPECT_TRUE(limiter.try_acquire());
  EXPECT_FALSE(run(pipe(limiter)));
  EXPECT_FALSE(run(timeout_m(250ms) | patient));
  EXPECT_THAT(log.of(event_kind::refused),
              ElementsAre("refused rate_limiter queue_full limit=0 tokens=0 waiting=0",
                          "refused rate_limiter deadline needed=1 remaining=0.25 tokens=0 waiting=0"));
}

TEST_F(Observer, HearsWhomALimiterInShadowWouldHaveMadeWait) {
  limiter_m limiter{{.rate = 1, .capacity = 1, .shadow = true}};
  op.returns(1);
  EXPECT_TRUE(run(pipe(limiter)));
  EXPECT_TRUE(run(pipe(limiter)));
  EXPECT_TRUE(run(timeout_m(500ms) | limiter));
  EXPECT_THAT(log.of(event_kind::shadowed), ElementsAre("shadowed rate_limiter tokens seconds=1 tokens=0",
                                                        "shadowed rate_limiter deadline seconds=2 tokens=0"));
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST_F(Observer, HearsOfTimeoutsAndOfTheAttemptsThatTheyCut) {
  op.hangs();
  EXPECT_FALSE(run(retry_m(plain(2, 1s)) | timeout_m(2s)));
  EXPECT_THAT(log.lines(),
              ElementsAre("attempt_ended timed_out seconds=2", "timed_out timeout expired limit=2",
                          "retry_scheduled retry backoff attempt=1 max_attempts=2 delay=1",
                          "attempt_ended timed_out seconds=2", "timed_out timeout expired limit=2",
                          "retry_gave_up retry attempts_exhausted attempt=2 max_attempts=2",
                          "call_ended timed_out seconds=5 attempts=2"));
}

TEST_F(Observer, HearsWhatABulkheadMadeWaitAndRefused) {
  bulkhead narrow{{.limit = 1, .max_queue = 1}};
  op.returns(1, 2s);
  const auto p = (timeout_m(60s) | narrow).observed_by(log, "catalog");
  const auto one = [&]() -> awaitable<void> {
    try {
      co_await p.call([this] { return op(); });
    } catch (const bulkhead_full_error&) {
    }
  };
  for (int i = 0; i < 3; ++i) sim.spawn(one());
  sim.run();
  EXPECT_THAT(log.of(event_kind::refused), ElementsAre("refused bulkhead full limit=1 waiting=1"));
  EXPECT_THAT(log.of(event_kind::waited), ElementsAre("waited bulkhead full seconds=2 limit=1 waiting=0"));
}

TEST_F(Observer, HearsOfATimeoutThatLeavesNoTime) {
  op.returns(1);
  EXPECT_FALSE(run(pipe(timeout_m(0s))));
  EXPECT_THAT(log.lines(),
              ElementsAre("refused timeout no_time limit=0", "call_ended timed_out seconds=0 attempts=0"));
}

TEST_F(Observer, CallsACancelledCallCancelled) {
  op.hangs();
  const auto p = pipe(retry_m(plain(2, 1s))).observed_by(log, "catalog");
  test::task t(sim, [](auto& pipeline, script& s) -> awaitable<void> {
    co_await pipeline.call([&s] { return s(); });
  }(p, op));
  sim.run_for(3s);
  t.cancel();
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_THAT(log.lines(),
              ElementsAre("attempt_ended cancelled seconds=3", "call_ended cancelled seconds=3 attempts=1"));
}

TEST_F(Observer, GoesByTheClassifierOfThePipeline) {
  op.returns(500).returns(404).returns(200);
  const auto by_status = [](const outcome& o) {
    const int status = o.get_if<int>() != nullptr ? *o.get_if<int>() : 0;
    return status >= 500 ? verdict::failure : status >= 400 ? verdict::ignored : verdict::success;
  };
  const auto p = pipe(retry_m(plain(1, 0s)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(run(p, by_status));
  EXPECT_THAT(log.of(event_kind::call_ended), ElementsAre("call_ended failure seconds=0 attempts=1",
                                                          "call_ended ignored seconds=0 attempts=1",
                                                          "call_ended success seconds=0 attempts=1"));
}

TEST_F(Observer, IsNotToldOfCallsOfOtherPipelines) {
  op.returns(1);
  const auto unobserved = pipe(retry_m(plain(1, 0s)));
  sim.run(unobserved.call([this] { return op(); }));
  EXPECT_THAT(log.lines(), IsEmpty());
}

TEST_F(Observer, PassesAllOnToSeveral) {
  test::event_log second;
  observers both(log, second);
  op.returns(1);
  sim.run(pipe(retry_m(plain(1, 0s))).observed_by(both, "catalog").call([this] { return op(); }));
  EXPECT_EQ(log.lines().size(), 2u);
  EXPECT_EQ(log.lines(), second.lines());
}

TEST(Event, FindsFactsByName) {
  const fact facts[] = {{"delay", 1.5}, {"attempt", 2}};
  const std::exception_ptr none;
  const event e{.kind = event_kind::retry_scheduled,
                .pipeline = "p",
                .policy = "retry",
                .reason = "backoff",
                .state = {},
                .at = {},
                .call = 1,
                .attempt = 1,
                .facts = facts,
                .error = none};
  EXPECT_EQ(fact_or(e, "attempt", 0), 2);
  EXPECT_EQ(fact_or(e, "tokens", -1), -1);
}

}  // namespace
}  // namespace dspu::aio
