#include "dspu/aio/keyed.hpp"

#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <set>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using limiter_m = basic_rate_limiter<manual_clock>;
using breaker_m = basic_circuit_breaker<manual_clock>;
using throttle_m = basic_throttle<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using limiters = keyed<limiter_m>;
using breakers = keyed<breaker_m>;

awaitable<std::string> echo(std::string s) { co_return s; }

class Keyed : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;

  auto run_op() {
    return [this] { return op(); };
  }
};

TEST_F(Keyed, KeepsAPolicyForEachKey) {
  limiters all{{.rate = 1, .capacity = 2}};
  EXPECT_TRUE(all.get("a")->try_acquire(2));
  EXPECT_FALSE(all.get("a")->try_acquire());
  EXPECT_TRUE(all.get(std::string("b"))->try_acquire(2));
  EXPECT_EQ(&*all.get("a"), &*all.get(std::string_view("a")));
  EXPECT_EQ(all.get("a").key(), "a");
  EXPECT_EQ(all.size(), 2u);
}

TEST_F(Keyed, AsksTheFactoryOncePerKey) {
  std::vector<std::string> asked;
  limiters all{[&](std::string_view tenant) {
    asked.emplace_back(tenant);
    return rate_limiter_options{.rate = tenant == "gold" ? 100.0 : 1.0};
  }};
  EXPECT_EQ(all.get("gold")->rate(), 100);
  EXPECT_EQ(all.get("tin")->rate(), 1);
  EXPECT_EQ(all.get("gold")->rate(), 100);
  EXPECT_EQ(asked, (std::vector<std::string>{"gold", "tin"}));
}

TEST_F(Keyed, TakesPoliciesFromTheFactoryToo) {
  const auto make = [](std::string_view key) {
    return bulkhead({.limit = static_cast<std::int64_t>(key.size())});
  };
  keyed<bulkhead> all{make};
  EXPECT_EQ(all.get("abc")->limit(), 3);
}

TEST_F(Keyed, HasOtherKeysThanStrings) {
  keyed<limiter_m, int> all{{.rate = 1}};
  EXPECT_TRUE(all.get(7)->try_acquire());
  EXPECT_FALSE(all.get(7)->try_acquire());
  EXPECT_TRUE(all.get(8)->try_acquire());
}

TEST_F(Keyed, ChecksTheOptionsAtOnce) {
  EXPECT_THROW(limiters({.rate = 0}), std::invalid_argument);
  EXPECT_THROW(limiters({.rate = 1}, {.max_keys = 0}), std::invalid_argument);
  EXPECT_THROW(limiters({.rate = 1}, {.shards = 0}), std::invalid_argument);
  EXPECT_THROW(limiters({.rate = 1}, {.shards = 5000}), std::invalid_argument);
}

TEST_F(Keyed, LetsWhatTheFactoryThrowsOutAndGoesOn) {
  bool broken = true;
  limiters all{[&](std::string_view) {
                 if (broken) throw scripted_failure();
                 return rate_limiter_options{.rate = 1};
               },
               {.max_keys = 1}};
  EXPECT_THROW(all.get("a"), scripted_failure);
  EXPECT_EQ(all.size(), 0u);
  broken = false;
  EXPECT_TRUE(all.get("a")->try_acquire());
}

TEST_F(Keyed, RunsCallsThroughTheKeysPolicy) {
  op.returns(5, 1s);
  limiters all{{.rate = 1}};
  EXPECT_EQ(sim.run(all.call("a", run_op())), 5);
  EXPECT_EQ(sim.run(all.call("b", run_op())), 5);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(sim.run(all.call("a", echo, std::string("x"))), "x");
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(sim.run(all.call("a", echo, std::string("y"))), "y");
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Keyed, ReadsTheKeyFromTheArguments) {
  breakers all{{.failure_threshold = 1}};
  const auto host = [](const std::string& url) { return url.substr(0, url.find('/')); };
  const auto p = retry_m({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none}) | all.by(host);
  const auto fetch = [&](const std::string& url) -> awaitable<std::string> {
    if (url.starts_with("bad")) throw scripted_failure();
    co_return url;
  };
  EXPECT_EQ(sim.run(p.call(fetch, std::string("good/1"))), "good/1");
  EXPECT_THROW(sim.run(p.call(fetch, std::string("bad/1"))), circuit_breaker_error);
  EXPECT_EQ(sim.run(p.call(fetch, std::string("good/2"))), "good/2");
  EXPECT_EQ(all.get("bad")->state(), circuit_state::open);
  EXPECT_EQ(all.get("good")->state(), circuit_state::closed);
  EXPECT_EQ(all.size(), 2u);
}

TEST_F(Keyed, IsAPolicyWithBothVerbsOnceItKnowsItsKeys) {
  limiters all{{.rate = 1}};
  auto polite = all.by([](const std::string& s) -> const std::string& { return s; });
  EXPECT_EQ(sim.run(polite.call(echo, std::string("a"))), "a");
  auto decorated = polite(echo);
  EXPECT_EQ(sim.run(decorated(std::string("a"))), "a");
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(all.get("a")->tokens(), 0);
}

TEST_F(Keyed, GoesIntoAPipelineAsAHandle) {
  limiters all{{.rate = 1}};
  const auto p = timeout_m(5s) | all.get("a");
  op.returns(1);
  EXPECT_EQ(sim.run(p.call(run_op())), 1);
  EXPECT_EQ(all.get("a")->tokens(), 0);
}

TEST_F(Keyed, NamesItselfInAPipeline) {
  limiters all{{.rate = 1}};
  const auto p = timeout_m(5s) | all.by([](int) { return "x"; }) | all.get("a");
  EXPECT_EQ(p.describe(), "timeout(5 s) | keyed(by key, at most 10000) | rate_limiter(1 per 1 s, 1 at once)");
}

TEST_F(Keyed, CallsTheKeyFunctionAtOnceAndLetsItsErrorOut) {
  limiters all{{.rate = 1}};
  const auto p = pipe(all.by([](const std::string&) -> std::string { throw scripted_failure(); }));
  EXPECT_THROW(static_cast<void>(p.call(echo, std::string("a"))), scripted_failure);
}

TEST_F(Keyed, ForgetsOnlyALimiterThatIsFull) {
  limiters all{{.rate = 1, .capacity = 2}, {.max_keys = 2}};
  EXPECT_TRUE(all.get("a")->try_acquire(2));
  EXPECT_TRUE(all.get("b")->try_acquire(1));
  EXPECT_THROW(all.get("c"), too_many_keys_error);
  manual_clock::advance(1s - 1ns);
  EXPECT_THROW(all.get("c"), too_many_keys_error);
  manual_clock::advance(1ns);
  EXPECT_TRUE(all.get("c")->try_acquire(2));
  EXPECT_EQ(all.get("a")->tokens(), 1) << "it was not the one to go";
  const auto s = all.statistics();
  EXPECT_EQ(s.keys, 2u);
  EXPECT_EQ(s.created, 3u);
  EXPECT_EQ(s.evicted, 1u);
  EXPECT_EQ(s.overflowed, 2u);
}

TEST_F(Keyed, NamesTheBoundWhenItIsFull) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  try {
    all.get("b");
    FAIL();
  } catch (const too_many_keys_error& e) {
    EXPECT_EQ(e.limit(), 1u);
    EXPECT_EQ(e.code(), errc::too_many_keys);
    EXPECT_TRUE(e.code() == std::errc::no_buffer_space);
    EXPECT_STREQ(e.what(), "the limit is 1: too many keys are in use [dspu.aio:9]");
  }
}

TEST_F(Keyed, NeverForgetsALimiterThatSomebodyWaitsFor) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  auto place = all.get("a")->reserve();
  manual_clock::advance(1s);
  EXPECT_THROW(all.get("b"), too_many_keys_error) << "its token is reserved";
  place.cancel();
  EXPECT_TRUE(all.get("b")->try_acquire());
}

TEST_F(Keyed, NeverForgetsADrainedLimiter) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  all.get("a")->drain_until(core::instant_of(manual_clock::now() + 1h));
  manual_clock::advance(1h);
  EXPECT_THROW(all.get("b"), too_many_keys_error);
  manual_clock::advance(1s);
  EXPECT_NO_THROW(all.get("b"));
}

TEST_F(Keyed, ForgetsOnlyABreakerWithNothingCounted) {
  breakers all{{.failure_threshold = 2, .success_threshold = 1, .timeout = 10s}, {.max_keys = 1}};
  const auto fails = [&] { EXPECT_THROW(sim.run(all.call("a", run_op())), scripted_failure); };
  op.fails().fails().returns(1);
  fails();
  EXPECT_THROW(all.get("b"), too_many_keys_error) << "a failure is counted";
  fails();
  EXPECT_THROW(all.get("b"), too_many_keys_error) << "it is open";
  manual_clock::advance(1h);
  EXPECT_THROW(all.get("b"), too_many_keys_error) << "it is still open: nobody has tried";
  EXPECT_EQ(sim.run(all.call("a", run_op())), 1);
  EXPECT_NO_THROW(all.get("b"));
}

TEST_F(Keyed, ForgetsABreakerWhoseWindowHasPassed) {
  breakers all{{.failure_threshold = 0, .window = {.time = 10s, .min_calls = 5}}, {.max_keys = 1}};
  op.returns(1);
  sim.run(all.call("a", run_op()));
  EXPECT_THROW(all.get("b"), too_many_keys_error);
  manual_clock::advance(11s);
  EXPECT_NO_THROW(all.get("b"));
}

TEST_F(Keyed, NeverForgetsWhatACallIsIn) {
  breakers all{{}, {.max_keys = 1}};
  op.returns(1, 1h);
  const auto body = [&]() -> awaitable<void> { co_await all.call("a", run_op()); };
  test::task t(sim, body());
  sim.run_until(1s);
  EXPECT_TRUE(all.get("a")->is_fresh()) << "a closed breaker does not know of its calls";
  EXPECT_THROW(all.get("b"), too_many_keys_error);
  t.cancel();
  sim.run();
  EXPECT_NO_THROW(all.get("b"));
}

TEST_F(Keyed, NeverForgetsWhatAHandleHolds) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  auto held = std::make_optional(all.get("a"));
  auto copy = held;
  EXPECT_THROW(all.get("b"), too_many_keys_error);
  held.reset();
  EXPECT_THROW(all.get("b"), too_many_keys_error);
  copy.reset();
  EXPECT_NO_THROW(all.get("b"));
}

TEST_F(Keyed, IsOutlivedByHandles) {
  auto all = std::make_unique<limiters>(rate_limiter_options{.rate = 1});
  const auto held = all->get("a");
  all.reset();
  EXPECT_TRUE(held->try_acquire());
}

TEST_F(Keyed, NeverForgetsWhatWasChangedByHand) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  all.get("a")->set_rate(2);
  manual_clock::advance(1h);
  EXPECT_TRUE(all.get("a")->is_fresh());
  EXPECT_THROW(all.get("b"), too_many_keys_error);
}

TEST_F(Keyed, ForgetsAdaptiveLimitsThatHaveLearntNothing) {
  using adaptive_m = basic_adaptive_concurrency<manual_clock>;
  const adaptive_concurrency_options halving{.algorithm = limit_algorithm::aimd,
                                             .initial = 8,
                                             .max = 8,
                                             .aimd = {.backoff_ratio = 0.5, .timeout = 1min}};
  keyed<adaptive_m> widths{halving, {.max_keys = 1}};
  op.returns(1, 1s).hangs();
  sim.run(widths.call("a", run_op()));
  EXPECT_TRUE(widths.get("a")->is_fresh()) << "a sample that moved nothing";
  const auto body = [&]() -> awaitable<void> { co_await widths.call("a", run_op()); };
  {
    test::task t(sim, body());
    sim.run_until(sim.elapsed() + 1s);
    EXPECT_FALSE(widths.get("a")->is_fresh()) << "a call is in it";
    EXPECT_THROW(widths.get("b"), too_many_keys_error);
    t.cancel();
    sim.run();
  }
  EXPECT_NO_THROW(widths.get("b"));

  op.returns(1, 2min);  // too slow: the limit is halved
  sim.run(widths.call("b", run_op()));
  EXPECT_EQ(widths.get("b")->limit(), 4);
  EXPECT_FALSE(widths.get("b")->is_fresh());
  EXPECT_THROW(widths.get("c"), too_many_keys_error);
  EXPECT_EQ(widths.get("b")->revision(), 0u);
  auto other = halving;
  other.max_queue = 1;
  widths.reconfigure(other);
  EXPECT_EQ(widths.get("b")->revision(), 1u);
  EXPECT_EQ(widths.get("b")->limit(), 4) << "new options keep what was learnt";

  // The others keep a latency, and with it the key.
  keyed<adaptive_m> vegas{{.algorithm = limit_algorithm::vegas}, {.max_keys = 1}};
  EXPECT_TRUE(vegas.get("a")->is_fresh());
  op.returns(1, 1s);
  sim.run(vegas.call("a", run_op()));
  EXPECT_EQ(vegas.get("a")->baseline(), 1s);
  EXPECT_THROW(vegas.get("b"), too_many_keys_error);

  // What was changed by hand is kept, however new it is.
  keyed<adaptive_m> changed{halving, {.max_keys = 1}};
  changed.get("a")->reconfigure(other);
  EXPECT_TRUE(changed.get("a")->is_fresh());
  EXPECT_THROW(changed.get("b"), too_many_keys_error);
}

TEST_F(Keyed, ForgetsBulkheadsAndThrottles) {
  keyed<bulkhead> places{{.limit = 1}, {.max_keys = 1}};
  op.returns(1, 1h).fails();
  const auto body = [&]() -> awaitable<void> { co_await places.call("a", run_op()); };
  test::task t(sim, body());
  sim.run_until(1s);
  EXPECT_THROW(places.get("b"), too_many_keys_error);
  sim.run();
  EXPECT_NO_THROW(places.get("b"));

  keyed<throttle_m> polite{{.window = 24s}, {.max_keys = 1}};
  EXPECT_THROW(sim.run(polite.call("a", run_op())), scripted_failure);
  EXPECT_THROW(polite.get("b"), too_many_keys_error);
  manual_clock::advance(24s);
  EXPECT_NO_THROW(polite.get("b"));
}

TEST_F(Keyed, LetsOverflowingKeysShareAPolicy) {
  limiters all{{.rate = 1, .capacity = 3}, {.max_keys = 1, .overflow_key = "others"}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  EXPECT_EQ(all.get("b").key(), "others");
  EXPECT_TRUE(all.get("b")->try_acquire(2));
  EXPECT_EQ(all.get("c")->tokens(), 1);
  EXPECT_EQ(all.get("others")->tokens(), 1);
  EXPECT_EQ(all.size(), 1u);
  EXPECT_EQ(all.statistics().overflowed, 3u);
  manual_clock::advance(1s);
  EXPECT_EQ(all.get("c").key(), "c") << "there is room again";
}

TEST_F(Keyed, RefusesACallThatFindsNoRoomInItsPlaceInThePipeline) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  op.returns(1);
  const auto host = [](const std::string& s) { return s; };
  const auto call = [&](const std::string&) { return op(); };
  const auto instead = fallback([](const outcome& o) { return o.code() == errc::too_many_keys ? -1 : -2; });
  breaker_m breaker;
  const auto guarded = instead | breaker | all.by(host);
  EXPECT_EQ(sim.run(guarded.call(call, std::string("b"))), -1);
  EXPECT_EQ(breaker.failure_count(), 0);
  EXPECT_EQ(op.calls(), 0u);
}

TEST_F(Keyed, AsksForRoomAgainAtTheNextAttempt) {
  limiters all{{.rate = 1}, {.max_keys = 1}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  op.returns(1);
  const auto p = retry_m({.max_attempts = 2, .base_delay = 1s, .jitter = jitter::none}) |
                 all.by([](const std::string& s) { return s; });
  EXPECT_EQ(sim.run(p.call([this](const std::string&) { return op(); }, std::string("b"))), 1);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(all.get("b")->tokens(), 0);
}

TEST_F(Keyed, ChangesAllThatAreThere) {
  limiters all{{.rate = 1}};
  for (int i = 0; i < 40; ++i) all.get(std::to_string(i));
  std::set<std::string> seen;
  all.for_each([&](const std::string& key, limiter_m& l) {
    seen.insert(key);
    l.set_rate(5);
  });
  EXPECT_EQ(seen.size(), 40u);
  EXPECT_EQ(all.get("17")->rate(), 5);
  EXPECT_EQ(all.get("new")->rate(), 1);
}

TEST_F(Keyed, ReconfiguresThoseThereAndThoseToCome) {
  breakers all{{.failure_threshold = 5}, {.max_keys = 2, .overflow_key = "others"}};
  op.fails();
  EXPECT_THROW(sim.run(all.call("a", run_op())), scripted_failure);
  all.get("b")->reconfigure({.failure_threshold = 9});
  all.reconfigure({.failure_threshold = 2});
  EXPECT_EQ(all.get("a")->failure_count(), 1) << "its state stays";
  EXPECT_EQ(all.get("b")->options().failure_threshold, 2);
  EXPECT_EQ(all.get("others")->options().failure_threshold, 2);
  EXPECT_EQ(all.get("c")->options().failure_threshold, 2) << "b could go: it is as a new one again";
  EXPECT_EQ(all.statistics().evicted, 1u);
  EXPECT_THROW(all.reconfigure({.failure_threshold = -1}), std::invalid_argument);
  EXPECT_EQ(all.get("a")->options().failure_threshold, 2);

  all.reconfigure_by([](std::string_view key) {
    return circuit_breaker_options{.failure_threshold = static_cast<std::int64_t>(key.size())};
  });
  EXPECT_EQ(all.get("a")->options().failure_threshold, 1);
  EXPECT_EQ(all.get("others")->options().failure_threshold, 6);
}

TEST_F(Keyed, LooksUpWhatIsThereWithoutAnExclusiveLock) {
  limiters all{{.rate = 1}};
  all.get("a");
  const auto before = all.statistics().exclusive_locks;
  for (int i = 0; i < 100; ++i) static_cast<void>(all.get("a")->try_acquire());
  EXPECT_EQ(before, 1u);
  EXPECT_EQ(all.statistics().exclusive_locks, 1u);
}

class refusals : public observer {
 public:
  void on_event(const event& e) noexcept override {
    if (e.kind != event_kind::refused) return;
    told.emplace_back(std::string(e.policy) + " " + std::string(e.reason), e.facts[0].value);
  }
  std::vector<std::pair<std::string, double>> told;
};

TEST_F(Keyed, TellsTheObserverOfARefusal) {
  refusals seen;
  limiters all{{.rate = 1}, {.max_keys = 1}};
  EXPECT_TRUE(all.get("a")->try_acquire());
  const auto p = pipe(all.by([](const std::string& s) { return s; })).observed_by(seen, "test");
  EXPECT_THROW(sim.run(p.call(echo, std::string("b"))), too_many_keys_error);
  EXPECT_EQ(seen.told, (std::vector<std::pair<std::string, double>>{{"keyed too_many_keys", 1}}));
}

}  // namespace
}  // namespace dspu::aio
