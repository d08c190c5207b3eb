#include "dspu/aio/any_policy.hpp"

#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/lint.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
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
using timeout_m = basic_timeout<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;

retry_options plain(std::int64_t attempts, duration pause) {
  return {.max_attempts = attempts,
          .strategy = backoff_strategy::constant,
          .base_delay = pause,
          .jitter = jitter::none};
}

class AnyPolicy : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  breaker_m breaker{{.failure_threshold = 3, .success_threshold = 1, .timeout = 60s}};
  limiter_m limiter{{.rate = 1, .capacity = 2}};

  int run(const any_policy& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(AnyPolicy, OfNothingRunsTheOperation) {
  op.returns(7, 1s).fails();
  EXPECT_EQ(run(any_policy()), 7);
  EXPECT_THROW(run(any_policy()), scripted_failure);
  EXPECT_EQ(any_policy().describe(), "");
}

TEST_F(AnyPolicy, GoesThroughAllPolicies) {
  op.hangs().fails().returns(7, 1s);
  const any_policy p = timeout_m(60s) | retry_m(plain(5, 1s)) | breaker | limiter | timeout_m(2s);
  EXPECT_EQ(run(p), 7);
  EXPECT_EQ(sim.elapsed(), 5s);  // 2 s, a pause, a pause, 1 s
  EXPECT_EQ(op.calls(), 3u);
  EXPECT_EQ(op.running(), 0u);
}

TEST_F(AnyPolicy, TakesAnyTypeOfResult) {
  const any_policy p = retry_m(plain(2, 1s)) | timeout_m(2s);
  int calls = 0;
  const auto text = [&](const std::string& s) -> awaitable<std::string> {
    if (++calls == 1) throw scripted_failure();
    co_return s + "!";
  };
  const auto nothing = [&]() -> awaitable<void> {
    ++calls;
    co_return;
  };
  const auto only_once = [](int n) -> awaitable<std::unique_ptr<int>> { co_return std::make_unique<int>(n); };
  EXPECT_EQ(sim.run(p.call(text, std::string("a"))), "a!");
  sim.run(p.call(nothing));
  EXPECT_EQ(*sim.run(p.call(only_once, 3)), 3);
  EXPECT_EQ(calls, 3);
}

TEST_F(AnyPolicy, IsChosenAtRunTime) {
  op.fails();
  for (const bool guarded : {false, true}) {
    any_policy p = retry_m(plain(2, 1s));
    if (guarded) p = breaker | p;
    EXPECT_THROW(run(p), scripted_failure);
  }
  EXPECT_EQ(breaker.failure_count(), 1);
  EXPECT_EQ(op.calls(), 4u);
}

TEST_F(AnyPolicy, ComposesOnBothSides) {
  op.fails().returns(1);
  const any_policy inner = breaker | limiter;
  const any_policy p = timeout_m(10s) | (retry_m(plain(3, 1s)) | inner) | timeout_m(1s);
  EXPECT_EQ(p.size(), 5u);
  EXPECT_EQ(run(p), 1);
  const auto static_one = timeout_m(10s) | retry_m(plain(3, 1s)) | breaker | limiter | timeout_m(1s);
  EXPECT_EQ(p.describe(), static_one.describe());
  EXPECT_EQ(p.facts().size(), static_one.facts().size());
}

TEST_F(AnyPolicy, IsLinted) {
  const any_policy p = retry_m(plain(3, 1s)) | retry_m(plain(3, 1s));
  ASSERT_EQ(lint(p).size(), 1u);
  EXPECT_EQ(lint(p)[0].code, "retries-multiply");
}

TEST_F(AnyPolicy, RefusesAPauseThatOutlastsTheDeadlineAtOnce) {
  op.fails(1s);
  EXPECT_THROW(run(timeout_m(5s) | retry_m(plain(9, 4s))), deadline_error);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(AnyPolicy, TellsTheOperationItsBudget) {
  const auto look = [](const call_context& c) -> awaitable<duration> { co_return c.remaining(); };
  EXPECT_EQ(sim.run(any_policy(timeout_m(3s)).call(look)), 3s);
  const any_policy inner = timeout_m(5s);
  const auto nested = [&](const call_context& c) { return inner.call_in(c, look); };
  EXPECT_EQ(sim.run(any_policy(timeout_m(3s)).call(nested)), 3s);
}

TEST_F(AnyPolicy, IsCancelledAsAWhole) {
  op.hangs();
  const any_policy p = timeout_m(10s) | retry_m(plain(5, 1s)) | breaker | limiter | timeout_m(5s);
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(6s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(sim.elapsed(), 6s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
  EXPECT_EQ(breaker.failure_count(), 1);  // the attempt that timed out by itself
}

TEST_F(AnyPolicy, OutlivesItsName) {
  op.fails().returns(2);
  auto call = [&] { return any_policy(retry_m(plain(2, 1s)) | timeout_m(5s)).call([this] { return op(); }); }();
  EXPECT_EQ(sim.run(std::move(call)), 2);
  op.fails().returns(3);
  const auto decorated = any_policy(retry_m(plain(2, 1s)))([this] { return op(); });
  EXPECT_EQ(sim.run(decorated()), 3);
}

TEST_F(AnyPolicy, CanBeChangedWhileACallIsUnderWay) {
  op.hangs();
  any_policy p = timeout_m(5s) | breaker;
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(1s, [&] { p = any_policy(); });
  sim.run();
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_TRUE(test::holds<async_timeout_error>(t.error()));
}

TEST_F(AnyPolicy, KeepsWhatItIsTold) {
  op.hangs();
  auto owned = std::make_shared<limiter_m>(rate_limiter_options{.rate = 1});
  const std::weak_ptr<limiter_m> alive = owned;
  any_policy p = timeout_m(5s) | any_policy(*owned).keeping(owned);
  owned.reset();
  const auto body = [&]() -> awaitable<void> { co_await p.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(1s, [&] {
    p = any_policy();
    EXPECT_FALSE(alive.expired());
  });
  sim.run();
  EXPECT_TRUE(alive.expired());
}

TEST_F(AnyPolicy, FallsBackForTheOneTypeOnly) {
  op.fails();
  const any_policy p = fallback([](const outcome&) { return 5; }) | retry_m(plain(2, 1s));
  EXPECT_EQ(run(p), 5);
  const auto text = []() -> awaitable<std::string> { co_return "a"; };
  EXPECT_THROW(static_cast<void>(p.call(text)), std::invalid_argument);
}

TEST_F(AnyPolicy, AsksEveryKindOfPolicy) {
  bulkhead narrow{{.limit = 1, .max_queue = 1}};
  basic_throttle<manual_clock> polite;
  const any_policy p = narrow | polite | breaker | limiter;
  op.returns(1, 1s);
  const auto both = [&]() -> awaitable<void> { static_cast<void>(co_await p.call([this] { return op(); })); };
  test::task one(sim, both());
  test::task other(sim, both());
  sim.run();
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(narrow.in_flight(), 0);
}

TEST(AnyPolicyDestroyed, GivesBackWhatACallHeld) {
  script op;
  op.hangs();
  bulkhead narrow{{.limit = 1}};
  const any_policy p = narrow | timeout_m(5s);
  {
    testing::simulator sim;
    const auto body = [&]() -> awaitable<void> { co_await p.call([&op] { return op(); }); };
    test::task t(sim, body());
    sim.run_for(1s);
    EXPECT_EQ(narrow.in_flight(), 1);
  }
  EXPECT_EQ(narrow.in_flight(), 0);
}

// ---- with a hedge, which runs the operation several times at once ----

using hedge_m = basic_hedge<manual_clock>;

TEST_F(AnyPolicy, TakesTheFirstOfHedgedAttempts) {
  hedge_m twice{{.delay = 1s}};
  op.hangs().returns(4, 2s);
  EXPECT_EQ(run(timeout_m(20s) | retry_m(plain(3, 1s)) | twice | breaker | timeout_m(10s)), 4);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(op.running(), 0u);
  EXPECT_EQ(twice.wins(), 1);
  EXPECT_EQ(breaker.failure_count(), 0);
}

TEST_F(AnyPolicy, HedgesAnythingAnywhereInTheRow) {
  hedge_m twice{{.delay = 1s}};
  hedge_m again{{.delay = 3s}};
  int calls = 0;
  const auto text = [&](const call_context& c, std::string s) -> awaitable<std::string> {
    ++calls;
    const duration takes = c.hedge == 0 ? 8s : 2s;
    co_await detail::sleep_for<manual_clock>(takes);
    co_return s + std::to_string(c.hedge);
  };
  const std::string x = "x";
  EXPECT_EQ(sim.run(any_policy(twice).call(text, x)), "x1");
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(sim.run((any_policy(twice) | again | limiter).call(text, x)), "x1");
  const auto nothing = []() -> awaitable<void> { co_return; };
  sim.run((any_policy(breaker) | twice).call(nothing));
}

TEST_F(AnyPolicy, RetriesWhatAllHedgedAttemptsFailedWith) {
  hedge_m twice{{.delay = 1s}};
  op.fails().fails().returns(6);
  EXPECT_EQ(run(retry_m(plain(2, 1s)) | twice), 6);
  EXPECT_EQ(op.calls(), 3u);
  op.fails();
  EXPECT_THROW(run(breaker | twice), scripted_failure);
  EXPECT_EQ(breaker.failure_count(), 1);
}

TEST_F(AnyPolicy, LetsFiltersSeeHedgedResults) {
  hedge_m twice{{.delay = 1s}};
  int seen = 0;
  retry_options picky = plain(3, 1s);
  picky.classify = [&](const outcome& o) {
    const int* value = o.get_if<int>();
    if (value != nullptr) ++seen;
    return value != nullptr && *value < 0 ? verdict::failure : default_verdict(o);
  };
  op.returns(-1).returns(2);
  EXPECT_EQ(run(retry_m(picky) | twice), 2);
  EXPECT_EQ(seen, 2);
}

TEST_F(AnyPolicy, RefusesToHedgeWhatCannotBe) {
  hedge_m twice{{.delay = 1s}};
  auto owns = [p = std::make_unique<int>(1)]() -> awaitable<int> { co_return *p; };
  EXPECT_THROW(static_cast<void>(any_policy(twice).call(std::move(owns))), std::invalid_argument);
  const any_policy both = fallback([](const outcome&) { return 5; }) | twice;
  EXPECT_THROW(static_cast<void>(both.call([this] { return op(); })), std::invalid_argument);
}

using chaos_m = basic_chaos<manual_clock>;

TEST_F(AnyPolicy, InjectsChaosAroundAnythingAndInsideOfIt) {
  chaos_m odd{{.result_rate = 1, .result = [] { return 9; }}};
  chaos_m slow{{.fault_rate = 1, .latency_rate = 1, .latency_min = 1s, .latency_max = 1s}};
  EXPECT_EQ(run(any_policy(timeout_m(10s)) | odd), 9);
  EXPECT_THROW(run(any_policy(breaker) | slow), injected_fault);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(breaker.failure_count(), 1);
  EXPECT_EQ(op.calls(), 0u);

  hedge_m twice{{.delay = 5s}};
  EXPECT_THROW(run(any_policy(twice) | slow), injected_fault);  // twice, one after the other
  EXPECT_THROW(run(any_policy(slow) | twice), injected_fault);
  EXPECT_EQ(sim.elapsed(), 4s);
}

void expect_refusal(const std::function<void()>& call, const char* why) {
  try {
    call();
    FAIL() << why;
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), why);
  }
}

TEST_F(AnyPolicy, RefusesResultsMadeUpForOtherOperationsOrBesideAHedge) {
  op.returns(1);
  hedge_m twice{{.delay = 1s}};
  chaos_m odd{{.result_rate = 0.5, .result = [] { return std::string("nine"); }}};
  expect_refusal([&] { run(any_policy(odd)); },
                 "any_policy.call: a chaos in the row is for another type of result than the operation has");
  odd.reconfigure({.result_rate = 0.5, .result = [] { return 9; }});
  const char* const beside =
      "any_policy.call: a chaos that is for one type of result cannot be in a row with a hedge";
  expect_refusal([&] { run(any_policy(twice) | odd); }, beside);
  expect_refusal([&] { run(any_policy(odd) | twice); }, beside);
  EXPECT_EQ(op.calls(), 0u);

  // While it makes up none, it is for any operation.
  const any_policy p = any_policy(twice) | odd;
  odd.enable(false);
  EXPECT_EQ(run(p), 1);
  odd.enable(true);
  EXPECT_THROW(run(p), std::invalid_argument);
  odd.reconfigure({.result_rate = 0.5, .result = [] { return 9; }, .shadow = true});
  EXPECT_EQ(run(p), 1);
  odd.reconfigure({.result = [] { return 9; }});
  EXPECT_EQ(run(p), 1);
}

struct listener : observer {
  std::vector<std::string> heard;
  void on_event(const event& e) noexcept override {
    heard.push_back(std::string(e.pipeline) + " " + std::string(name_of(e.kind)) + " " + std::string(e.reason));
  }
};

TEST_F(AnyPolicy, IsObserved) {
  listener watcher;
  op.fails().returns(1);
  EXPECT_EQ(run(any_policy(retry_m(plain(2, 1s))).observed_by(watcher, "shop")), 1);
  EXPECT_EQ(watcher.heard,
            (std::vector<std::string>{"shop attempt_ended failure", "shop retry_scheduled backoff",
                                      "shop attempt_ended success", "shop call_ended success"}));
}

// The same random row, static in its parts and erased: the same calls, results and instants.
TEST_F(AnyPolicy, DoesWhatThePipelineDoes) {
  const auto as_script = [](script& s) { s.fails(1s).hangs().throws(std::logic_error("x")).fails(3s).returns(9, 2s); };
  const auto row = timeout_m(30s) | retry_m(plain(9, 1s)) | breaker | limiter | timeout_m(2500ms);
  script mine;
  script theirs;
  as_script(mine);
  as_script(theirs);
  const auto outcome_of_run = [&](const auto& p, script& s) {
    try {
      return std::to_string(sim.run(p.call([&s] { return s(); })));
    } catch (const std::exception& e) {
      return std::string(e.what());
    }
  };
  for (int i = 0; i < 8; ++i) {
    breaker.reset();
    limiter.drain();
    const auto begin = sim.elapsed();
    const auto expected = outcome_of_run(row, mine);
    const auto took = sim.elapsed() - begin;
    breaker.reset();
    limiter.drain();
    EXPECT_EQ(outcome_of_run(any_policy(row), theirs), expected);
    EXPECT_EQ(sim.elapsed() - begin - took, took);
    EXPECT_EQ(mine.calls(), theirs.calls());
  }
}

}  // namespace
}  // namespace dspu::aio
