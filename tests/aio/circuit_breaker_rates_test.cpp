// The circuit_breaker beyond consecutive failures: rates, hints, what is done by hand, statistics.
#include "dspu/aio/circuit_breaker.hpp"

#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using enum circuit_state;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using testing::simulator;
using breaker = basic_circuit_breaker<manual_clock>;

struct asks_to_wait : error {
  explicit asks_to_wait(duration d) : error(errc::throttled) { retry_after_ = d; }
};

struct CircuitBreakerRates : ::testing::Test {
  simulator sim;
  script op;
  std::list<test::task> tasks;
  std::vector<std::pair<circuit_state, circuit_state>> changes;

  auto record() {
    return [this](circuit_state from, circuit_state to) { changes.emplace_back(from, to); };
  }
  int call(breaker& b) {
    return sim.run(b.call([this] { return op(); }));
  }
  void fail_once(breaker& b) { EXPECT_THROW(call(b), scripted_failure); }
  awaitable<void> discard(breaker& b) {
    co_await b.call([this] { return op(); });
  }
  test::task& start(breaker& b) { return tasks.emplace_back(sim, discard(b)); }
};
using CircuitBreakerByHand = CircuitBreakerRates;

circuit_breaker_options by_rate() {
  return {.failure_threshold = 0,
          .success_threshold = 1,
          .timeout = 5s,
          .window = {.time = 10s, .buckets = 10, .min_calls = 4, .failure_rate = 0.5, .slow_call = 1s}};
}

TEST_F(CircuitBreakerRates, OpensWhenHalfOfTheCallsFail) {
  breaker b{by_rate()};
  op.fails().returns(1).returns(2).fails();
  fail_once(b);
  EXPECT_EQ(call(b), 1);
  EXPECT_EQ(call(b), 2);
  EXPECT_EQ(b.state(), closed);
  fail_once(b);
  EXPECT_EQ(b.state(), open);
  try {
    call(b);
    FAIL();
  } catch (const circuit_breaker_error& e) {
    EXPECT_EQ(e.failure_count(), 2) << "those in the window";
    EXPECT_EQ(e.retry_after(), 5s);
  }
  const auto seen = b.statistics();
  EXPECT_EQ(seen.window, (core::outcome_counts{4, 2, 0}));
  EXPECT_EQ(seen.window.failure_rate(), 0.5);
  EXPECT_EQ(seen.refused, 1);
  EXPECT_EQ(seen.opened, 1);
  EXPECT_EQ(seen.open_until, core::instant_of(sim.now()) + 5s);
}

TEST_F(CircuitBreakerRates, CountsSuccessesThoughNoneFailed) {
  breaker b{by_rate()};
  op.returns();
  for (int i = 0; i < 3; ++i) call(b);
  b.try_permit().success();
  EXPECT_EQ(b.statistics().window.calls, 4);
}

TEST_F(CircuitBreakerRates, OpensWhenAllCallsAreSlow) {
  breaker b{by_rate()};
  op.returns(1, 2s);
  for (int i = 0; i < 3; ++i) start(b);
  sim.run();
  EXPECT_EQ(b.statistics().window, (core::outcome_counts{3, 0, 3}));
  EXPECT_EQ(call(b), 1);
  EXPECT_EQ(b.state(), open);
}

TEST_F(CircuitBreakerRates, MeasuresFromTheCallToItsEndOnly) {
  breaker b{by_rate()};
  auto p = b.try_permit();
  sim.run_for(1s);
  p.success();
  EXPECT_EQ(b.statistics().window, (core::outcome_counts{1, 0, 0})) << "not longer than slow_call";
  auto q = b.try_permit();
  auto moved = std::move(q);
  sim.run_for(1s + 1ns);
  moved.success();
  EXPECT_EQ(b.statistics().window, (core::outcome_counts{2, 0, 1}));
}

TEST_F(CircuitBreakerRates, ForgetsOldCalls) {
  breaker b{by_rate()};
  for (int i = 0; i < 3; ++i) b.try_permit().failure();
  sim.run_for(10s);
  EXPECT_EQ(b.statistics().window.calls, 0);
  b.try_permit().failure();
  EXPECT_EQ(b.state(), closed);
}

TEST_F(CircuitBreakerRates, StaysOpenLongerEachTime) {
  breaker b{{.failure_threshold = 1, .timeout = 1s, .timeout_multiplier = 2, .max_timeout = 3s}};
  op.fails();
  for (const duration length : {1s, 2s, 3s, 3s}) {
    fail_once(b);
    EXPECT_EQ(b.try_permit().retry_after(), length);
    sim.run_for(length);
  }
}

TEST_F(CircuitBreakerRates, OpensForAsLongAsAFailureAsks) {
  breaker b{{.failure_threshold = 5, .retry_after = retry_after_of}};
  op.throws(asks_to_wait(40s));
  EXPECT_THROW(call(b), asks_to_wait);
  EXPECT_EQ(b.state(), open);
  EXPECT_EQ(b.try_permit().retry_after(), 40s);

  breaker deaf{{.failure_threshold = 5}};
  EXPECT_THROW(call(deaf), asks_to_wait);
  EXPECT_EQ(deaf.state(), closed) << "nobody said that it should listen";
}

TEST_F(CircuitBreakerRates, ReadsWhatAFailureAsksForFromItsValueAndFromFailuresOnly) {
  int asked = 0;
  breaker b{{.failure_threshold = 5,
             .retry_after =
                 [&](const outcome& o) {
                   ++asked;
                   return std::optional<duration>(std::chrono::seconds(*o.get_if<int>()));
                 },
             .classify = [](const outcome& o) { return *o.get_if<int>() > 0 ? verdict::failure : verdict::success; }}};
  op.returns(0).returns(7);
  call(b);
  EXPECT_EQ(asked, 0);
  call(b);
  EXPECT_EQ(b.try_permit().retry_after(), 7s);
}

TEST_F(CircuitBreakerRates, TakesBackThePlaceOfAProbeThatHangs) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .probe_timeout = 10s}};
  op.fails().returns(1, 30s).returns(2).fails();
  fail_once(b);
  sim.run_for(1s);
  start(b);
  sim.run_for(4s);
  EXPECT_EQ(b.try_permit().retry_after(), 6s);
  sim.run_for(6s);
  EXPECT_EQ(call(b), 2);
  EXPECT_EQ(b.state(), closed);
  EXPECT_EQ(b.statistics().lost_probes, 1);
  sim.run();
  EXPECT_TRUE(tasks.front().succeeded()) << "whoever made the call still gets its result";
}

TEST_F(CircuitBreakerRates, OnlyWatchesIfToldTo) {
  auto o = by_rate();
  o.failure_threshold = 1;
  o.metrics_only = true;
  o.on_state_change = record();
  breaker b{o};
  op.fails();
  for (int i = 0; i < 10; ++i) fail_once(b);
  EXPECT_EQ(op.calls(), 10U);
  EXPECT_EQ(b.state(), open);
  EXPECT_EQ(b.statistics().refused, 9);
  EXPECT_THAT(changes, ::testing::ElementsAre(std::pair{closed, open}));
}

TEST_F(CircuitBreakerByHand, IsIsolatedUntilClosed) {
  breaker b{{.on_state_change = record()}};
  b.isolate();
  sim.run_for(1000h);
  EXPECT_EQ(b.state(), isolated);
  try {
    call(b);
    FAIL();
  } catch (const circuit_breaker_error& e) {
    EXPECT_EQ(e.state(), isolated);
    EXPECT_FALSE(e.retry_after());
    EXPECT_THAT(e.what(), ::testing::HasSubstr("isolated by hand"));
  }
  EXPECT_EQ(op.calls(), 0U);
  b.close();
  op.returns(5);
  EXPECT_EQ(call(b), 5);
  EXPECT_THAT(changes, ::testing::ElementsAre(std::pair{closed, isolated}, std::pair{isolated, closed}));
}

TEST_F(CircuitBreakerByHand, IsOpenForOrUntil) {
  breaker b;
  b.open_for(3s);
  EXPECT_EQ(b.try_permit().retry_after(), 3s);
  b.open_until(sim.now() + 1s);
  EXPECT_EQ(b.try_permit().retry_after(), 1s);
  sim.run_for(1s);
  EXPECT_TRUE(b.try_permit());
  EXPECT_EQ(b.state(), half_open);
  try {
    b.open_for(-1s);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "circuit_breaker.open_for is -1 s; must be at least 0 s");
  }
}

TEST_F(CircuitBreakerByHand, ClosesWithoutForgettingWhatIsClosed) {
  breaker b{{.failure_threshold = 3}};
  b.try_permit().failure();
  b.close();
  EXPECT_EQ(b.failure_count(), 1);
  b.reset();
  EXPECT_EQ(b.failure_count(), 0);
}

TEST_F(CircuitBreakerByHand, TakesNewOptionsWhileCallsAreUnderWay) {
  breaker b{{.failure_threshold = 5, .timeout = 60s, .classify = failing_on<scripted_failure>(),
             .on_state_change = record()}};
  op.fails(2s);
  start(b);
  sim.run_for(1s);
  auto o = b.options();
  EXPECT_EQ(o.failure_threshold, 5);
  EXPECT_TRUE(o.classify);
  o.failure_threshold = 1;
  o.window = {.calls = 10, .slow_call = 1ns};
  o.classify = [](const outcome&) { return verdict::ignored; };
  b.reconfigure(o);
  sim.run();
  EXPECT_EQ(b.state(), open) << "its functions stay as they were";
  EXPECT_EQ(changes.size(), 1U);
  EXPECT_EQ(b.statistics().window, (core::outcome_counts{1, 1, 0})) << "when it began nobody measured";

  o.timeout = -1s;
  EXPECT_THROW(b.reconfigure(o), std::invalid_argument);
  EXPECT_EQ(b.options().timeout, 60s);
  o.timeout = 10s;
  b.reconfigure(o);
  EXPECT_EQ(b.try_permit().retry_after(), 10s);
}

TEST_F(CircuitBreakerByHand, GivesBackAllOptionsThatItTook) {
  const circuit_breaker_options o{.failure_threshold = 0,
                                  .success_threshold = 7,
                                  .timeout = 3s,
                                  .half_open_max_calls = 5,
                                  .window = {.time = 4s,
                                             .buckets = 8,
                                             .min_calls = 9,
                                             .failure_rate = 0.3,
                                             .slow_call = 2s,
                                             .slow_rate = 0.4},
                                  .timeout_multiplier = 1.5,
                                  .max_timeout = 11s,
                                  .half_open_ramp = true,
                                  .probe_timeout = 12s,
                                  .retry_after = retry_after_of,
                                  .max_retry_after = 13s,
                                  .metrics_only = true,
                                  .classify = default_verdict,
                                  .on_state_change = record()};
  const breaker b{o};
  const auto got = b.options();
  const auto fields = [](const circuit_breaker_options& x) {
    return std::tuple(x.failure_threshold, x.success_threshold, x.timeout, x.half_open_max_calls, x.window.calls,
                      x.window.time, x.window.buckets, x.window.min_calls, x.window.failure_rate,
                      x.window.slow_call, x.window.slow_rate, x.timeout_multiplier, x.max_timeout, x.half_open_ramp,
                      x.probe_timeout, static_cast<bool>(x.retry_after), x.max_retry_after, x.metrics_only,
                      static_cast<bool>(x.classify), static_cast<bool>(x.on_state_change));
  };
  EXPECT_EQ(fields(got), fields(o));
}

}  // namespace
}  // namespace dspu::aio
