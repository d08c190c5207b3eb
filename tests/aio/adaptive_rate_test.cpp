#include "dspu/aio/adaptive_rate.hpp"

#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/keyed.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/after.hpp"
#include "support/server_models.hpp"
#include "support/task.hpp"
#include "support/witness.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

using pace_m = basic_adaptive_rate<manual_clock>;
using timeout_m = basic_timeout<manual_clock>;
using retry_m = basic_retry<manual_clock>;
using tasks = std::vector<std::unique_ptr<test::task>>;

struct too_many_requests : error {
  explicit too_many_requests(std::optional<duration> wait = std::nullopt)
      : error(errc::throttled, "429") {
    retry_after_ = wait;
  }
};

class AdaptiveRate : public ::testing::Test {
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
  core::instant now() const { return core::instant_of(manual_clock::now()); }
};

// ---- the pace

// Clients that want so many answers in all from a server, each asking again at once if it is refused.
struct crowd {
  testing::simulator& sim;
  pace_m& pace;
  test::server_model& server;
  int left;
  int refused = 0;

  awaitable<int> ask() {
    const auto a = server.arrive(core::instant_of(manual_clock::now()), 5ms);
    auto answered = test::after(a.leaves - core::instant_of(manual_clock::now()), a.status);
    co_return co_await std::move(answered);
  }
  awaitable<void> client() {
    while (left > 0) {
      --left;
      const int status = co_await pace.call([this] { return ask(); });
      if (status == 200) continue;
      ++left;
      ++refused;
    }
  }
  void work(int clients) {
    tasks all;
    for (int i = 0; i < clients; ++i) all.push_back(std::make_unique<test::task>(sim, client()));
    sim.run();
  }
};

adaptive_rate_options by_status() {
  return {.classify = [](const outcome& o) {
    const int* const status = o.get_if<int>();
    if (status == nullptr) return load_verdict(o);
    return *status == 503 || *status == 429 ? verdict::failure : verdict::success;
  }};
}

TEST_F(AdaptiveRate, FindsTheServersPace) {
  pace_m pace(by_status());
  test::nginx_limit_req server({.rate = 50, .burst = 20});
  crowd all{sim, pace, server, 1000};
  all.work(40);
  const double ideal = (1000 - 21) / 50.0;
  EXPECT_LE(std::chrono::duration<double>(sim.elapsed()).count(), 1.05 * ideal);
  EXPECT_LE(all.refused, 20);
  EXPECT_NEAR(pace.learnt().rate.value_or(0), 50, 5);
  EXPECT_NEAR(static_cast<double>(pace.learnt().burst.value_or(0)), 21, 3);
  EXPECT_EQ(pace.statistics().admitted, 1000u);
  EXPECT_EQ(pace.statistics().refused, static_cast<std::uint64_t>(all.refused));
  EXPECT_EQ(pace.statistics().in_flight, 0);
}

TEST_F(AdaptiveRate, DoesNotHoldBackCallsToAServerWithoutALimit) {
  op.returns(0, 1s);
  pace_m pace;
  tasks all;
  for (int i = 0; i < 4; ++i) all.push_back(start(pace));
  sim.run_until(0s);
  EXPECT_EQ(op.running(), 4u);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_FALSE(pace.statistics().pace.has_value());
  EXPECT_EQ(pace.statistics().waited, 0u);
}

TEST_F(AdaptiveRate, BeginsAtAStatedRate) {
  op.returns(0);
  pace_m pace({.initial_rate = 10, .max_rate = 10});
  tasks all;
  for (int i = 0; i < 5; ++i) all.push_back(start(pace));
  sim.run();
  EXPECT_EQ(sim.elapsed(), 400ms);
}

TEST_F(AdaptiveRate, SendsNothingBeforeARetryAfterIsOver) {
  pace_m pace;
  op.throws(too_many_requests(7s)).returns(0);
  EXPECT_THROW(run(pace), too_many_requests);
  EXPECT_EQ(pace.statistics().hold, 7s);
  run(pace);
  EXPECT_GE(sim.elapsed(), 7s);
  EXPECT_EQ(op.calls(), 2u);
}

TEST_F(AdaptiveRate, WaitsForTheResetWhenTheServerSaysThatNothingIsLeft) {
  op.returns(0);
  adaptive_rate_options options;
  options.facts = [](const outcome&) { return limit_facts{.limit = 100, .remaining = 0, .reset = 30s}; };
  pace_m pace(options);
  run(pace);
  run(pace);
  EXPECT_EQ(sim.elapsed(), 30s);
}

// ---- what an outcome says

TEST_F(AdaptiveRate, TakesOnlyRefusalsForLoadForRefusals) {
  using boost::system::system_error;
  const auto verdict_of = [](auto error) {
    const auto thrown = std::make_exception_ptr(error);
    return load_verdict(outcome(thrown));
  };
  EXPECT_EQ(load_verdict(outcome::nothing()), verdict::success);
  EXPECT_EQ(verdict_of(too_many_requests(1s)), verdict::failure);
  EXPECT_EQ(verdict_of(too_many_requests()), verdict::failure) << "errc::throttled means that the device is busy";
  EXPECT_EQ(verdict_of(system_error(make_error_code(boost::system::errc::resource_unavailable_try_again))),
            verdict::failure);
  EXPECT_EQ(verdict_of(std::runtime_error("404")), verdict::success) << "the server took it";
  EXPECT_EQ(verdict_of(system_error(asio::error::timed_out)), verdict::ignored);
  EXPECT_EQ(verdict_of(system_error(asio::error::connection_refused)), verdict::ignored);
  EXPECT_EQ(verdict_of(async_timeout_error(1s)), verdict::ignored);
}

TEST_F(AdaptiveRate, AsksItsClassifierAndForTheRetryAfter) {
  auto options = by_status();
  options.retry_after = [](const outcome& o) -> std::optional<duration> {
    if (*o.get_if<int>() == 503) return 3s;
    return std::nullopt;
  };
  pace_m pace(options);
  op.returns(404).returns(503);
  EXPECT_EQ(run(pace), 404);
  EXPECT_EQ(pace.statistics().refused, 0u);
  EXPECT_EQ(run(pace), 503);
  EXPECT_EQ(pace.statistics().refused, 1u);
  EXPECT_EQ(pace.statistics().hold, 3s);
}

TEST_F(AdaptiveRate, SettlesACallWhoseClassifierThrows) {
  adaptive_rate_options options;
  options.classify = [](const outcome&) -> verdict { throw std::domain_error("classifier"); };
  pace_m pace(options);
  EXPECT_THROW(run(pace), std::domain_error);
  EXPECT_EQ(pace.statistics().in_flight, 0);
}

TEST_F(AdaptiveRate, CountsNothingThatWasCancelledOrTimedOutOutside) {
  op.hangs();
  pace_m pace;
  EXPECT_THROW(run(timeout_m(10s) | pace), async_timeout_error);
  const auto t = start(pace);
  sim.run_until(1min);
  t->cancel();
  sim.run();
  EXPECT_TRUE(t->aborted());
  EXPECT_EQ(pace.statistics().admitted, 0u);
  EXPECT_EQ(pace.statistics().refused, 0u);
  EXPECT_EQ(pace.statistics().in_flight, 0);
}

TEST_F(AdaptiveRate, GivesBackACallThatAPolicyInsideRefused) {
  pace_m pace({.initial_rate = 1});
  basic_circuit_breaker<manual_clock> breaker({.failure_threshold = 1, .timeout = 1h});
  breaker.try_permit().failure();
  EXPECT_THROW(run(pace | breaker), circuit_breaker_error);
  EXPECT_THROW(run(pace | breaker), circuit_breaker_error);
  EXPECT_EQ(sim.elapsed(), 0s) << "nothing was sent, so nobody waits";
  EXPECT_EQ(pace.statistics().refused, 0u) << "it was not the server who refused";
}

TEST_F(AdaptiveRate, SeesEachAttemptInsideOfARetry) {
  pace_m pace;
  op.throws(too_many_requests(1s)).throws(too_many_requests(1s)).returns(7);
  const retry_m again({.max_attempts = 3, .base_delay = 1ms, .jitter = jitter::none});
  EXPECT_EQ(run(again | pace), 7);
  EXPECT_EQ(pace.statistics().refused, 2u);
  EXPECT_EQ(pace.statistics().admitted, 1u);
}

// ---- the queue

TEST_F(AdaptiveRate, LetsThemGoInTheOrderInWhichTheyCame) {
  op.returns(0);
  const auto begin = manual_clock::now();
  pace_m pace({.initial_rate = 1, .max_rate = 1});
  tasks all;
  for (int i = 0; i < 4; ++i) all.push_back(start(pace));
  sim.run_until(0s);
  EXPECT_EQ(pace.statistics().waiting, 3u);
  EXPECT_FALSE(pace.try_acquire()) << "nobody barges in";
  sim.run();
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(all[i]->ended_at() - begin, i * 1s) << i;
  }
}

TEST_F(AdaptiveRate, LeavesTheQueueWithItsCallerAndItsTimeout) {
  op.returns(0);
  pace_m pace({.initial_rate = 0.1});
  const auto a = start(pace);
  const auto b = start(pace);
  const auto c = start(pace);
  sim.run_until(1s);
  b->cancel();
  sim.run_until(1s);
  EXPECT_TRUE(b->aborted());
  EXPECT_EQ(pace.statistics().waiting, 1u);
  sim.run();
  EXPECT_TRUE(c->succeeded());
  EXPECT_EQ(sim.elapsed(), 10s) << "who was behind it moved up";
}

TEST_F(AdaptiveRate, RefusesWhenItsQueueIsFull) {
  op.returns(0);
  pace_m pace({.initial_rate = 1, .max_queue = 1});
  const auto a = start(pace);
  const auto b = start(pace);
  const auto c = start(pace);
  sim.run_until(0s);
  EXPECT_TRUE(c->failed_with<queue_full_error>());
  EXPECT_EQ(pace.statistics().rejected, 1u);
  sim.run();
  EXPECT_TRUE(b->succeeded());
}

TEST_F(AdaptiveRate, RefusesAtOnceWhatCannotGoInTime) {
  op.returns(0);
  pace_m pace({.initial_rate = 1});
  const auto a = start(pace);
  const auto b = start(pace);
  EXPECT_THROW(run(timeout_m(1500ms) | pace), deadline_error);
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_EQ(run(timeout_m(2500ms) | pace), 0);
  EXPECT_EQ(sim.elapsed(), 2s);
}

TEST_F(AdaptiveRate, EndsAllWaitsWhenItIsDestroyed) {
  op.returns(0);
  std::unique_ptr<test::task> waits;
  {
    auto pace = std::make_unique<pace_m>(adaptive_rate_options{.initial_rate = 1});
    run(*pace);
    const auto wait = [](pace_m& p) -> awaitable<void> { co_await p.acquire(); };
    waits = std::make_unique<test::task>(sim, wait(*pace));
    sim.run_until(0s);
  }
  sim.run();
  EXPECT_TRUE(waits->aborted());
}

TEST_F(AdaptiveRate, GivesTheTurnToTheNextWhenOneIsCancelledAsItComes) {
  op.returns(0);
  pace_m pace({.initial_rate = 1});
  const auto a = start(pace);
  const auto b = start(pace);
  const auto c = start(pace);
  sim.run_until(0s);
  testing::manual_timer canceller(sim.get_executor(), 1s);
  canceller.async_wait([&](error_code) { b->cancel(); });
  sim.run();
  EXPECT_TRUE(b->done());
  EXPECT_TRUE(c->succeeded());
  EXPECT_EQ(pace.statistics().in_flight, 0);
  EXPECT_LE(sim.elapsed(), 2s);
}

// ---- by hand

TEST_F(AdaptiveRate, GivesPermitsThatAreSettledOnce) {
  pace_m pace;
  {
    auto p = pace.try_acquire();
    ASSERT_TRUE(p);
    EXPECT_EQ(pace.statistics().in_flight, 1);
    p.admitted();
    p.refused();
    EXPECT_EQ(pace.statistics().in_flight, 0);
  }
  EXPECT_EQ(pace.statistics().admitted, 1u);
  EXPECT_EQ(pace.statistics().refused, 0u);
  { const auto unsettled = pace.try_acquire(); }
  EXPECT_EQ(pace.statistics().in_flight, 0);
  EXPECT_EQ(pace.statistics().admitted, 1u);
  pace.try_acquire().refused({.retry_after = 2s});
  EXPECT_FALSE(pace.try_acquire());
  const auto wait = [](pace_m& p) -> awaitable<int> {
    auto permit = co_await p.acquire();
    permit.admitted();
    co_return 1;
  };
  sim.run(wait(pace));
  EXPECT_GE(sim.elapsed(), 2s);
}

TEST_F(AdaptiveRate, CanOutliveThePolicyAsAPermit) {
  auto pace = std::make_unique<pace_m>();
  auto p = pace->try_acquire();
  pace.reset();
  p.admitted();
}

TEST_F(AdaptiveRate, Decorates) {
  pace_m pace({.initial_rate = 1});
  const auto doubled = pace([](int x) -> awaitable<int> { co_return 2 * x; });
  EXPECT_EQ(sim.run(doubled(4)), 8);
  EXPECT_EQ(sim.run(doubled(5)), 10);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(AdaptiveRate, ServesInARowChosenAtRunTime) {
  op.returns(0);
  pace_m pace({.initial_rate = 1});
  const any_policy row = any_policy(timeout_m(10s)) | pace;
  run(row);
  run(row);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(row.describe(), "timeout(10 s) | adaptive_rate(from 1/s)");
}

// ---- options, telemetry, keys

TEST_F(AdaptiveRate, LearnsInShadowModeAndLetsEverybodyThrough) {
  op.returns(0);
  test::witness seen;
  pace_m pace({.initial_rate = 1, .shadow = true});
  const auto p = any_policy(pace).observed_by(seen, "p");
  for (int i = 0; i < 3; ++i) run(p);
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_EQ(pace.statistics().waited, 2u);
  EXPECT_NE(seen.text().find("shadowed adaptive_rate pace seconds=1\n"), std::string::npos) << seen.text();
  EXPECT_NE(seen.text().find("shadowed adaptive_rate pace seconds=2\n"), std::string::npos) << seen.text();
}

TEST_F(AdaptiveRate, LetsAllGoWhoWaitWhenItIsPutIntoShadowMode) {
  op.returns(0);
  pace_m pace({.initial_rate = 0.1});
  tasks all;
  for (int i = 0; i < 5; ++i) all.push_back(start(pace));
  sim.run_until(1s);
  pace.reconfigure({.shadow = true});
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(pace.statistics().waiting, 0u);
}

TEST_F(AdaptiveRate, KeepsItsPaceWithinTheNewBoundsWhenReconfigured) {
  op.returns(0);
  pace_m pace({.initial_rate = 10});
  run(pace);
  pace.reconfigure({.max_rate = 2});
  EXPECT_EQ(pace.statistics().pace, 2);
  EXPECT_EQ(pace.options().max_rate, 2);
  EXPECT_EQ(pace.revision(), 1u);
  EXPECT_THROW(pace.reconfigure({.max_rate = -1}), std::invalid_argument);
  EXPECT_EQ(pace.options().max_rate, 2);
  run(pace);
  EXPECT_EQ(sim.elapsed(), 500ms);
}

TEST_F(AdaptiveRate, TellsOfItsDecisionsWithNumbers) {
  test::witness seen;
  pace_m pace;
  const auto p = any_policy(pace).observed_by(seen, "p");
  op.throws(too_many_requests(2s)).returns(0);
  EXPECT_THROW(run(p), too_many_requests);
  run(p);
  EXPECT_EQ(seen.text(),
            "attempt_ended refused seconds=0\n"
            "limit_changed adaptive_rate refused rate=8 burst=1 concurrency=0 in_flight=0 hold=2\n"
            "call_ended refused seconds=0 attempts=1\n"
            "waited adaptive_rate pace seconds=2.125 rate=8 waiting=0\n"
            "attempt_ended success seconds=0\n"
            "call_ended success seconds=2.125 attempts=1\n");
}

TEST_F(AdaptiveRate, TellsOfWhatItRefuses) {
  op.returns(0);
  test::witness seen;
  pace_m pace({.initial_rate = 1, .max_queue = 1});
  run(pace);
  const auto waits = start(pace);
  sim.run_until(0s);
  EXPECT_THROW(run(any_policy(pace).observed_by(seen, "p")), queue_full_error);
  EXPECT_THROW(run((timeout_m(100ms) | pace).observed_by(seen, "p")), deadline_error);
  EXPECT_NE(seen.text().find("refused adaptive_rate queue_full limit=1\n"), std::string::npos) << seen.text();
  EXPECT_NE(seen.text().find("refused adaptive_rate deadline needed=2 remaining=0.1\n"), std::string::npos)
      << seen.text();
  sim.run();
}

TEST_F(AdaptiveRate, IsKeptByKeyAndForgottenOnceItHasForgotten) {
  keyed<pace_m> by_host{{.memory = 1min}, {.max_keys = 1}};
  const auto refused = [] { return []() -> awaitable<int> { throw too_many_requests(1s); }; };
  EXPECT_THROW(sim.run(by_host.call("a", refused())), too_many_requests);
  EXPECT_THROW(by_host.get("b"), too_many_keys_error) << "a's has learnt something";
  sim.run_until(62s);
  EXPECT_TRUE(by_host.get("b")->is_fresh());
}

TEST_F(AdaptiveRate, DescribesItself) {
  pace_m pace({.max_rate = 100});
  EXPECT_EQ((timeout_m(10s) | pace).describe(), "timeout(10 s) | adaptive_rate(no limit at first, at most 100/s)");
}

TEST_F(AdaptiveRate, RejectsBadOptions) {
  EXPECT_THROW(adaptive_rate({.initial_rate = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.min_rate = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.max_rate = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.max_burst = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.max_concurrency = 0}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.max_hold = -1s}), std::invalid_argument);
  EXPECT_THROW(adaptive_rate({.memory = 0s}), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::aio
