// What all policies can do: take new options while they work, and decide without acting.
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using breaker_m = basic_circuit_breaker<manual_clock>;
using limiter_m = basic_rate_limiter<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using throttle_m = basic_throttle<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;

retry_options plain(std::int64_t attempts, duration pause) {
  return {.max_attempts = attempts,
          .strategy = backoff_strategy::constant,
          .base_delay = pause,
          .jitter = jitter::none};
}

// What was told in shadow mode: "policy reason".
class shadows : public observer {
 public:
  void on_event(const event& e) noexcept override {
    if (e.kind != event_kind::shadowed) return;
    told.push_back(std::string(e.policy) + " " + std::string(e.reason));
    facts.assign(e.facts.begin(), e.facts.end());
  }
  double fact(std::string_view name) const {
    for (const auto& f : facts) {
      if (f.name == name) return f.value;
    }
    return -1;
  }
  std::vector<std::string> told;
  std::vector<aio::fact> facts;  // of the last
};

class LiveOptions : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  shadows seen;
  using told = std::vector<std::string>;

  template <class P>
  int run(const P& p) {
    return sim.run(p.call([this] { return op(); }));
  }
  template <class P>
  auto watched(P&& p) {
    return pipe(std::forward<P>(p)).observed_by(seen, "test");
  }
  template <class P>
  std::unique_ptr<test::task> start(const P& p) {
    const auto body = [](LiveOptions* self, const P* policy) -> awaitable<void> {
      co_await policy->call([self] { return self->op(); });
    };
    return std::make_unique<test::task>(sim, body(this, &p));
  }
};

TEST_F(LiveOptions, OfARetryHoldInAllItsCopiesFromTheNextCallOn) {
  retry_m again(plain(2, 1s));
  const auto p = pipe(again);
  const auto copy = again;
  op.fails();
  again.reconfigure(plain(4, 2s));
  EXPECT_THROW(run(p), scripted_failure);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_EQ(sim.elapsed(), 6s);
  EXPECT_EQ(copy.options().max_attempts, 4);
  EXPECT_EQ(p.describe(), "retry(4 attempts, constant from 2 s to 1 min, no jitter)");
  EXPECT_THROW(again.reconfigure({.max_attempts = 0}), std::invalid_argument);
  EXPECT_EQ(again.options().max_attempts, 4);
}

TEST_F(LiveOptions, OfARetryLeaveCallsUnderWayAlone) {
  retry_m again(plain(3, 10s));
  op.fails();
  const auto direct = start(again);
  const auto p = pipe(again);
  const auto piped = start(p);
  sim.run_until(1s);
  again.reconfigure(plain(1, 1s));
  again.reconfigure(plain(2, 1s));
  sim.run();
  EXPECT_EQ(op.calls(), 6u);
  EXPECT_EQ(sim.elapsed(), 20s);
  EXPECT_TRUE(direct->failed_with<scripted_failure>());
}

TEST_F(LiveOptions, OfARetryKeepItsFunctions) {
  int asked = 0;
  retry_m again({.max_attempts = 2, .base_delay = 0s, .classify = [&](const outcome& o) {
                   ++asked;
                   return default_verdict(o);
                 }});
  again.reconfigure({.max_attempts = 3, .base_delay = 0s});
  op.fails();
  EXPECT_THROW(run(again), scripted_failure);
  EXPECT_EQ(asked, 3);
}

TEST_F(LiveOptions, OfARetryInShadowSayWhatItWouldDo) {
  retry_budget budget;
  auto options = plain(3, 2s);
  options.shadow = true;
  options.budget = &budget;
  retry_m again(options);
  op.fails().fails().fails().returns(1);
  const auto before = budget.balance(core::instant_of(manual_clock::now()));
  EXPECT_THROW(run(again), scripted_failure);
  EXPECT_THROW(run(watched(again)), scripted_failure);
  EXPECT_EQ(op.calls(), 2u);
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_EQ(seen.told, (told{"retry backoff"}));
  EXPECT_EQ(seen.fact("delay"), 2);
  EXPECT_GE(budget.balance(core::instant_of(manual_clock::now())), before) << "nothing is charged";
  again.reconfigure(plain(3, 2s));
  EXPECT_EQ(run(again), 1);
}

TEST_F(LiveOptions, OfATimeoutHoldInAllItsCopiesFromTheNextCallOn) {
  timeout_m bound(5s);
  const auto p = pipe(bound);
  const auto decorated = bound([this] { return op(); });
  op.hangs();
  const auto under_way = start(p);
  sim.run_until(1s);
  bound.reconfigure({.limit = 2s});
  EXPECT_EQ(p.describe(), "timeout(2 s)");
  EXPECT_THROW(run(p), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_THROW(sim.run(decorated()), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 5s);
  sim.run();
  EXPECT_TRUE(under_way->failed_with<async_timeout_error>());
  EXPECT_EQ(under_way->ended_at() - manual_clock::now(), 0s) << "it went on under the rule it began with";
  EXPECT_EQ(bound.options().limit, 2s);
}

TEST_F(LiveOptions, OfATimeoutInShadowSayWhatItWouldHaveEnded) {
  timeout_m bound(timeout_options{.limit = 2s, .shadow = true});
  op.returns(1, 3s).returns(2, 1s).returns(3, 3s).fails(2s);
  EXPECT_EQ(run(watched(bound)), 1);
  EXPECT_EQ(seen.told, (told{"timeout expired"}));
  EXPECT_EQ(seen.fact("seconds"), 3);
  EXPECT_EQ(run(watched(bound)), 2);
  EXPECT_EQ(run(bound), 3);
  EXPECT_EQ(seen.told.size(), 1u);
  EXPECT_THROW(run(watched(bound)), scripted_failure);
  EXPECT_EQ(seen.told.size(), 2u);
  const auto look = [](const call_context& c) -> awaitable<bool> { co_return c.has_deadline(); };
  EXPECT_FALSE(sim.run(pipe(bound).call(look))) << "it sets no deadline either";
  bound.reconfigure({.limit = 2s});
  EXPECT_TRUE(sim.run(pipe(bound).call(look)));
}

TEST_F(LiveOptions, OfABulkheadMoveTheLineUpAndTurnNobodyOut) {
  bulkhead b({.limit = 1, .max_queue = 3});
  const auto p = pipe(b);
  op.returns(0, 1s);
  std::vector<std::unique_ptr<test::task>> all;
  for (int i = 0; i < 4; ++i) all.push_back(start(p));
  sim.run_until(0s);
  b.reconfigure({.limit = 2, .max_queue = 0});
  EXPECT_EQ(b.waiting(), 2);
  EXPECT_EQ(b.options().max_queue, 0);
  EXPECT_THROW(run(p), bulkhead_full_error);
  EXPECT_THROW(b.reconfigure({.limit = 2, .max_queue = -1}), std::invalid_argument);
  EXPECT_EQ(b.limit(), 2);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_TRUE(b.is_fresh());
}

TEST_F(LiveOptions, OfABulkheadThatGoesIntoShadowLetTheLineGo) {
  bulkhead b({.limit = 1, .max_queue = 3});
  const auto p = watched(b);
  op.returns(0, 1s);
  std::vector<std::unique_ptr<test::task>> all;
  for (int i = 0; i < 3; ++i) all.push_back(start(p));
  sim.run_until(0s);
  b.reconfigure({.limit = 1, .max_queue = 3, .shadow = true});
  all.push_back(start(p));
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_EQ(seen.told, (told{"bulkhead full"}));
  EXPECT_TRUE(b.is_fresh());
  EXPECT_EQ(b.revision(), 1u);
}

TEST_F(LiveOptions, OfAThrottleKeepWhatWasCounted) {
  double drawn = 0.7;
  throttle_m polite({.k = 1, .window = 100s, .min_requests = 0, .random = [&] { return drawn; }});
  op.fails();
  for (int i = 0; i < 3; ++i) EXPECT_THROW(run(pipe(polite)), scripted_failure);
  EXPECT_EQ(polite.rejection_probability(), 0.75);
  polite.reconfigure({.k = 1, .window = 100s, .max_rejection = 0.5, .min_requests = 0});
  EXPECT_EQ(polite.rejection_probability(), 0.5);
  EXPECT_THROW(run(pipe(polite)), scripted_failure) << "0.7 is drawn as ever";
  polite.reconfigure({.k = 1, .window = 50s, .min_requests = 0});
  EXPECT_EQ(polite.rejection_probability(), 0) << "another window begins anew";
  EXPECT_EQ(polite.options().window, 50s);
  EXPECT_THROW(polite.reconfigure({.k = 0}), std::invalid_argument);
  EXPECT_EQ(polite.options().k, 1);
  EXPECT_EQ(polite.revision(), 2u);
}

TEST_F(LiveOptions, OfAThrottleInShadowSayWhomItWouldRefuse) {
  throttle_m polite({.k = 1, .min_requests = 0, .random = [] { return 0.0; }});
  op.fails();
  EXPECT_THROW(run(pipe(polite)), scripted_failure);
  EXPECT_THROW(run(pipe(polite)), throttled_error);
  polite.reconfigure({.k = 1, .min_requests = 0, .shadow = true});
  EXPECT_THROW(run(watched(polite)), scripted_failure);
  EXPECT_EQ(seen.told, (told{"throttle probability"}));
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(LiveOptions, OfARetryBudgetKeepWhatWasUsed) {
  const auto now = [] { return core::instant_of(manual_clock::now()); };
  retry_budget b({.ttl = 10s, .min_retries_per_second = 0.3, .retries_per_call = 0});
  EXPECT_TRUE(b.try_withdraw(now()));
  b.reconfigure({.ttl = 10s, .min_retries_per_second = 0.2, .retries_per_call = 0});
  EXPECT_EQ(b.balance(now()), 1);
  EXPECT_TRUE(b.try_withdraw(now()));
  EXPECT_FALSE(b.try_withdraw(now()));
  b.reconfigure({.ttl = 20s, .min_retries_per_second = 0.2, .retries_per_call = 0});
  EXPECT_EQ(b.balance(now()), 4) << "another ttl begins anew";

  retry_budget tokens({.kind = retry_budget_kind::token_ratio, .max_tokens = 10});
  for (int i = 0; i < 3; ++i) tokens.record(verdict::failure, now());
  tokens.reconfigure({.kind = retry_budget_kind::token_ratio, .max_tokens = 20});
  EXPECT_EQ(tokens.balance(now()), 17);
  tokens.reconfigure({.kind = retry_budget_kind::token_ratio, .max_tokens = 2});
  EXPECT_EQ(tokens.balance(now()), 0);
  tokens.reconfigure({});
  EXPECT_EQ(tokens.balance(now()), 100) << "another kind begins anew";
  EXPECT_THROW(tokens.reconfigure({.ttl = 0s}), std::invalid_argument);
  EXPECT_EQ(tokens.options().ttl, 10s);
}

TEST_F(LiveOptions, OfARetryBudgetInShadowLetThroughAndCount) {
  retry_budget b({.min_retries_per_second = 0.1, .retries_per_call = 0, .shadow = true});
  auto options = plain(4, 1s);
  options.budget = &b;
  op.fails();
  EXPECT_THROW(run(watched(retry_m(options))), scripted_failure);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_EQ(b.over_budget(), 2);
  EXPECT_EQ(seen.told, (told{"retry_budget budget_exhausted", "retry_budget budget_exhausted"}));
  EXPECT_EQ(b.balance(core::instant_of(manual_clock::now())), 0);
}

TEST_F(LiveOptions, OfARetryBudgetInShadowRefundOnlyWhatWasWithdrawn) {
  retry_budget b({.min_retries_per_second = 0.1, .retries_per_call = 0, .shadow = true});
  auto options = plain(4, 5s);
  options.budget = &b;
  op.fails();
  const auto p = pipe(retry_m(options));
  const auto t = start(p);
  sim.run_until(6s);  // in the second pause, which was not paid for
  t->cancel();
  sim.run();
  EXPECT_EQ(b.balance(core::instant_of(manual_clock::now())), 0);
}

TEST_F(LiveOptions, OfAFallbackInShadowLetTheFailureOut) {
  auto instead = fallback([](const outcome&) { return 7; }, {.shadow = true});
  const auto p = watched(instead);
  op.fails();
  EXPECT_THROW(run(p), scripted_failure);
  EXPECT_EQ(seen.told, (told{"fallback failure"}));
  instead.reconfigure({});
  EXPECT_EQ(run(p), 7);
  EXPECT_FALSE(instead.options().shadow);
}

TEST_F(LiveOptions, OfALimiterKeepItsTokensAndPlanTheLineAnew) {
  limiter_m l({.rate = 1, .capacity = 4, .wake_interval = 0ns});
  EXPECT_TRUE(l.try_acquire(4));
  op.returns();
  const auto p = pipe(l);
  const auto first = start(p);
  sim.run_until(500ms);
  l.reconfigure({.rate = 2, .capacity = 6, .wake_interval = 0ns, .max_waiters = 1});
  EXPECT_THROW(run(p), queue_full_error);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 750ms);
  const auto o = l.options();
  EXPECT_EQ(o.rate, 2);
  EXPECT_EQ(o.capacity, 6);
  EXPECT_EQ(o.max_waiters, 1u);
  EXPECT_THROW(l.reconfigure({.rate = 0}), std::invalid_argument);
  EXPECT_EQ(l.rate(), 2);
  EXPECT_EQ(l.revision(), 1u);
}

TEST_F(LiveOptions, OfALimiterComeAndGoWithFurtherBandwidths) {
  limiter_m l({.rate = 10, .wake_interval = 0ns});
  EXPECT_TRUE(l.try_acquire(9));
  l.reconfigure({.rate = 10, .wake_interval = 0ns, .also = {{.rate = 2, .per = 1min}}});
  EXPECT_EQ(l.tokens(), 1) << "the first keeps what it had";
  manual_clock::advance(1s);
  EXPECT_EQ(l.tokens(), 2) << "the new one starts full";
  EXPECT_EQ(l.capacity(), 2);
  EXPECT_TRUE(l.try_acquire(2));
  EXPECT_FALSE(l.try_acquire());
  EXPECT_EQ(l.options().also.size(), 1u);
  l.reconfigure({.rate = 10, .wake_interval = 0ns});
  EXPECT_EQ(l.tokens(), 8);
  EXPECT_TRUE(l.try_acquire(8));
}

TEST_F(LiveOptions, OfALimiterThatGoesIntoShadowLetTheLineGo) {
  limiter_m l({.rate = 1, .wake_interval = 0ns});
  EXPECT_TRUE(l.try_acquire());
  op.returns();
  const auto p = pipe(l);
  std::vector<std::unique_ptr<test::task>> all;
  for (int i = 0; i < 3; ++i) all.push_back(start(p));
  auto place = l.reserve();
  sim.run_until(0s);
  EXPECT_EQ(l.waiters(), 4u);
  l.reconfigure({.rate = 1, .wake_interval = 0ns, .shadow = true});
  EXPECT_TRUE(place.use());
  EXPECT_TRUE(l.try_acquire());
  sim.run();
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_EQ(op.calls(), 3u);
  EXPECT_EQ(l.waiters(), 0u);
  l.reconfigure({.rate = 1, .wake_interval = 0ns});
  EXPECT_FALSE(l.try_acquire());
  manual_clock::advance(5s);
  EXPECT_TRUE(l.try_acquire()) << "four went on credit, which is paid back";
  EXPECT_FALSE(l.try_acquire());
}

TEST_F(LiveOptions, MayChangeWhileThreadsReadThem) {
  retry_m again(plain(2, 0s));
  timeout_m bound(1s);
  std::thread changer([&] {
    for (int i = 0; i < 2000; ++i) {
      again.reconfigure(plain(2 + i % 7, std::chrono::seconds{i % 7}));
      bound.reconfigure({.limit = std::chrono::seconds{i % 5}});
    }
  });
  int torn = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto o = again.options();
    torn += o.base_delay == std::chrono::seconds{o.max_attempts - 2} ? 0 : 1;
    torn += bound.duration() < 5s ? 0 : 1;
  }
  changer.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace dspu::aio
