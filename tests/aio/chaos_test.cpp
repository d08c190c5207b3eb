#include "dspu/aio/chaos.hpp"

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"
#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;

using chaos_m = basic_chaos<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;

class Chaos : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;

  void SetUp() override { op.returns(1); }
  template <class P>
  int run(P&& p) {
    return sim.run(p.call([this] { return op(); }));
  }
  // What a hundred calls come to: a digit for a value, x for a fault.
  template <class P>
  std::string hundred(P&& p) {
    std::string all;
    for (int i = 0; i < 100; ++i) {
      try {
        all += std::to_string(run(p));
      } catch (const injected_fault&) {
        all += 'x';
      }
    }
    return all;
  }
};

TEST_F(Chaos, InjectsNothingUnlessAskedTo) {
  chaos_m none;
  EXPECT_EQ(hundred(none), std::string(100, '1'));
  EXPECT_EQ(none.injected(), 0);
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST_F(Chaos, GoesTheSameWayAgainWithTheSameSeed) {
  chaos_m storm({.fault_rate = 0.3, .seed = 42});
  chaos_m again({.fault_rate = 0.3, .seed = 42});
  chaos_m other({.fault_rate = 0.3, .seed = 43});
  const auto first = hundred(storm);
  EXPECT_EQ(hundred(again), first);
  EXPECT_NE(hundred(other), first);
  EXPECT_EQ(storm.injected(), std::count(first.begin(), first.end(), 'x'));
  EXPECT_NEAR(static_cast<double>(storm.injected()), 30, 12);
  EXPECT_EQ(op.calls(),
            static_cast<std::size_t>(300 - storm.injected() - again.injected() - other.injected()));
}

TEST_F(Chaos, SaysTheSeedThatItGotFromTheSystem) {
  chaos_m storm({.fault_rate = 0.5});
  chaos_m again({.fault_rate = 0.5, .seed = storm.seed()});
  EXPECT_EQ(hundred(storm), hundred(again));
}

TEST_F(Chaos, DelaysCalls) {
  chaos_m slow({.latency_rate = 1, .latency_min = 2s, .latency_max = 3s});
  run(slow);
  EXPECT_GE(sim.elapsed(), 2s);
  EXPECT_LE(sim.elapsed(), 3s);
  EXPECT_EQ(op.calls(), 1u);
}

TEST_F(Chaos, FailsCallsInTheirStead) {
  chaos_m down({.fault_rate = 1});
  EXPECT_THROW(run(down), injected_fault);
  down.reconfigure({.fault_rate = 1, .fault = [] { return std::domain_error("made up"); }});
  EXPECT_THROW(run(down), std::domain_error);
  down.reconfigure({.fault_rate = 1, .fault = [] { return std::make_exception_ptr(7); }});
  EXPECT_THROW(run(down), int);
  down.reconfigure(
      {.fault_rate = 1, .fault = []() -> std::exception_ptr { throw std::range_error("thrown"); }});
  EXPECT_THROW(run(down), std::range_error);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Chaos, MakesResultsUp) {
  chaos_m odd({.result_rate = 1, .result = [] { return 9; }});
  EXPECT_EQ(run(odd), 9);
  EXPECT_EQ(op.calls(), 0u);
  EXPECT_EQ(sim.elapsed(), 0s);

  chaos_m none({.result_rate = 1, .result = [] {}});
  bool called = false;
  sim.run(none.call([&]() -> awaitable<void> {
    called = true;
    co_return;
  }));
  EXPECT_FALSE(called);

  chaos_m unique({.result_rate = 1, .result = [] { return std::make_unique<int>(5); }});
  EXPECT_EQ(*sim.run(unique.call([]() -> awaitable<std::unique_ptr<int>> { co_return nullptr; })), 5);
}

TEST_F(Chaos, MakesResultsUpAndFailsAfterADelay) {
  chaos_m odd({.result_rate = 1, .latency_rate = 1, .latency_min = 1s, .result = [] { return 9; }});
  EXPECT_EQ(run(odd), 9);
  chaos_m down({.fault_rate = 1, .latency_rate = 1, .latency_min = 1s});
  EXPECT_THROW(run(down), injected_fault);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Chaos, FailsWhenItsResultIsOfAnotherTypeOrItsFunctionThrows) {
  chaos_m odd({.result_rate = 1, .result = [] { return std::string("nine"); }});
  EXPECT_THROW(run(odd), std::invalid_argument);
  odd.reconfigure({.result_rate = 1, .result = []() -> int { throw std::range_error("thrown"); }});
  EXPECT_THROW(run(odd), std::range_error);
}

TEST_F(Chaos, StandsForTheOperationToThePoliciesAround) {
  breaker_m breaker({.failure_threshold = 3});
  chaos_m down({.fault_rate = 1});
  const basic_retry<manual_clock> again({.max_attempts = 3, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_THROW(run(again | breaker | down), injected_fault);
  EXPECT_EQ(breaker.state(), circuit_state::open);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(down.injected(), 3);
}

TEST_F(Chaos, IsCutShortByATimeoutAndRetriedWithAFreshDraw) {
  chaos_m odd({.result_rate = 1, .latency_rate = 1, .latency_min = 1s, .latency_max = 1s, .result = [] {
                 return 9;
               }});
  const basic_retry<manual_clock> again({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none});
  EXPECT_THROW(run(again | timeout_m(500ms) | odd), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(odd.injected(), 4);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Chaos, LeavesCallsAloneWhileItIsOff) {
  chaos_m down({.fault_rate = 1});
  down.enable(false);
  EXPECT_FALSE(down.enabled());
  EXPECT_EQ(run(down), 1);
  down.enable(true);
  EXPECT_THROW(run(down), injected_fault);
}

TEST_F(Chaos, GoesOnWithItsDrawsUnderNewRates) {
  chaos_m low({.fault_rate = 0.2, .seed = 7});
  chaos_m rising({.fault_rate = 0, .seed = 7});
  hundred(low);
  const auto few = hundred(low);
  hundred(rising);
  rising.reconfigure({.fault_rate = 0.5});
  const auto many = hundred(rising);
  for (std::size_t i = 0; i < 100; ++i) {
    const bool kept = few[i] != 'x' || many[i] == 'x';
    EXPECT_TRUE(kept) << "a higher rate injects where a lower one did";
  }
  EXPECT_GT(std::count(many.begin(), many.end(), 'x'), 30);
}

TEST_F(Chaos, TellsWhatItInjectsAndOnlyTellsInShadowMode) {
  chaos_m odd({.result_rate = 1, .latency_rate = 1, .latency_min = 1s, .latency_max = 1s, .result = [] {
                 return 9;
               }});
  test::witness seen;
  run(pipe(odd).observed_by(seen, "p"));
  odd.reconfigure({.fault_rate = 1});
  EXPECT_THROW(run(pipe(odd).observed_by(seen, "p")), injected_fault);
  EXPECT_EQ(seen.text(),
            "injected chaos latency seconds=1\n"
            "injected chaos result\n"
            "call_ended success seconds=1 attempts=0\n"
            "injected chaos fault\n"
            "call_ended failure seconds=0 attempts=0\n");
  odd.reconfigure({.fault_rate = 1, .latency_rate = 1, .shadow = true});
  test::witness shadowed;
  EXPECT_EQ(run(pipe(odd).observed_by(shadowed, "p")), 1);
  EXPECT_NE(shadowed.text().find("shadowed chaos fault"), std::string::npos);
  EXPECT_EQ(odd.injected(), 3);
}

TEST_F(Chaos, DescribesItself) {
  chaos_m storm({.fault_rate = 0.02, .latency_rate = 0.1, .latency_max = 500ms});
  EXPECT_EQ((timeout_m(10s) | storm).describe(),
            "timeout(10 s) | chaos(2 % faults, 0 % results, 10 % delayed by 0 s to 500 ms)");
}

TEST_F(Chaos, RejectsBadOptions) {
  EXPECT_THROW(chaos({.fault_rate = 1.1}), std::invalid_argument);
  EXPECT_THROW(chaos({.result_rate = 0.1}), std::invalid_argument);
  EXPECT_THROW(chaos({.latency_rate = -0.1}), std::invalid_argument);
  EXPECT_THROW(chaos({.latency_min = 2s}), std::invalid_argument);
  chaos_m none;
  EXPECT_THROW(none.reconfigure({.fault_rate = -1}), std::invalid_argument);
  EXPECT_EQ(run(none), 1);
}

}  // namespace
}  // namespace dspu::aio
