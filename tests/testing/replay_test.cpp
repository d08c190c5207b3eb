#include "dspu/testing/replay.hpp"

#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/recorder.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace dspu::testing {
namespace {

using namespace std::chrono_literals;
using aio::ending_word;
using core::duration;
using retry_m = aio::basic_retry<manual_clock>;
using timeout_m = aio::basic_timeout<manual_clock>;
using breaker_m = aio::basic_circuit_breaker<manual_clock>;
using limiter_m = aio::basic_rate_limiter<manual_clock>;

const core::instant start{1000h};

aio::recorded_call call_at(duration at, std::vector<aio::recorded_attempt> attempts,
                           ending_word how = ending_word::success) {
  aio::recorded_call c{.start = start + at,
                       .pipeline = "p",
                       .how = how,
                       .took = {},
                       .attempts = attempts,
                       .waits = {},
                       .refusals = {}};
  if (!attempts.empty()) c.took = attempts.back().at + attempts.back().took;
  return c;
}

retry_m plain(std::int64_t attempts, duration pause) {
  return retry_m({.max_attempts = attempts,
                  .strategy = aio::backoff_strategy::constant,
                  .base_delay = pause,
                  .jitter = aio::jitter::none});
}

class Replay : public ::testing::Test {
 protected:
  simulator sim;
};

// As plain, but takes no hints when to come back: all would come at the instant at which a breaker
// half-opens, and which of several comes first at one instant is nobody's promise.
retry_m deaf(std::int64_t attempts, duration pause) {
  auto options = plain(attempts, pause).options();
  options.retry_after = [](const aio::outcome&) { return std::optional<duration>(); };
  return retry_m(options);
}

// Fails from 20 s to 50 s; about two calls a second.
aio::trace record_an_outage(simulator& sim) {
  std::string text;
  aio::recorder tape([&](std::string_view line) { text += line; });
  breaker_m breaker{{.failure_threshold = 6, .timeout = 10s}};
  const auto p = (timeout_m(20s) | deaf(3, 1s) | breaker | timeout_m(2s)).observed_by(tape, "p");
  const auto begin = sim.elapsed();
  const auto service = [&]() -> aio::awaitable<int> {
    const auto at = sim.elapsed() - begin;
    const bool hangs = at >= 20s && at < 30s;
    manual_timer timer(co_await boost::asio::this_coro::executor, hangs ? duration(5s) : duration(100ms));
    co_await timer.async_wait(boost::asio::use_awaitable);
    if (at >= 20s && at < 50s) throw scripted_failure();
    co_return 1;
  };
  const auto one = [&]() -> aio::awaitable<void> {
    try {
      co_await p.call(service);
    } catch (const std::exception&) {
    }
  };
  for (int i = 0; i < 160; ++i) {
    sim.spawn(one());
    sim.run_for(490ms + i * i % 97 * 211us);
  }
  sim.run();
  return aio::read_trace(text);
}

TEST_F(Replay, GivesWhatWasRecordedForTheSameConfiguration) {
  const auto recorded = record_an_outage(sim);
  ASSERT_EQ(recorded.calls.size(), 160u);
  ASSERT_GT(aio::summarize(recorded).opened, 0);
  breaker_m breaker{{.failure_threshold = 6, .timeout = 10s}};
  const auto again = replay(sim, recorded, timeout_m(20s) | deaf(3, 1s) | breaker | timeout_m(2s));
  EXPECT_EQ(again.assumed, 0);
  EXPECT_EQ(again.as_recorded, aio::summarize(recorded).attempts);
  EXPECT_EQ(aio::to_text(again.trace), aio::to_text(recorded));
}

TEST_F(Replay, TellsWhatABreakerThatOpensSoonerWouldHaveRefused) {
  const auto recorded = record_an_outage(sim);
  breaker_m sooner{{.failure_threshold = 1, .timeout = 10s}};
  const auto what_if = replay(sim, recorded, timeout_m(20s) | deaf(3, 1s) | sooner | timeout_m(2s));
  const auto before = aio::summarize(recorded);
  const auto after = aio::summarize(what_if.trace);
  EXPECT_EQ(after.calls, before.calls);
  EXPECT_LT(after.failed_attempts, before.failed_attempts);
  EXPECT_EQ(after.attempts, what_if.as_recorded + what_if.assumed);
}

TEST_F(Replay, TakesAttemptsThatWereNotMadeAfterTheirNeighbours) {
  // One attempt fails; two seconds later everything succeeds, and takes 3 s.
  aio::trace recorded;
  recorded.calls.push_back(call_at(0s, {{ending_word::failure, 0s, 1s}}, ending_word::failure));
  for (int i = 0; i < 5; ++i) recorded.calls.push_back(call_at(11s, {{ending_word::success, 0s, 3s}}));
  const auto what_if = replay(sim, recorded, aio::pipe(plain(2, 10s)), {.neighbours = 3});
  EXPECT_EQ(what_if.as_recorded, 6);
  EXPECT_EQ(what_if.assumed, 1);
  ASSERT_EQ(what_if.trace.calls.size(), 6u);
  const auto& calls = what_if.trace.calls;
  const auto mended =
      *std::find_if(calls.begin(), calls.end(), [](const auto& c) { return c.start == start; });
  EXPECT_EQ(mended,
            (aio::recorded_call{.start = start,
                                .pipeline = "p",
                                .how = ending_word::success,
                                .took = 14s,
                                .attempts = {{ending_word::failure, 0s, 1s}, {ending_word::success, 11s, 3s}},
                                .waits = {{"retry", 1s, 10s}},
                                .refusals = {}}));
}

TEST_F(Replay, DrawsAmongNeighboursAsOftenAsTheyWere) {
  aio::trace recorded;  // a third of the attempts fails, at random
  for (int i = 0; i < 600; ++i) {
    const bool fails = i % 3 == 0;
    const auto how = fails ? ending_word::failure : ending_word::success;
    recorded.calls.push_back(call_at(i * 10ms, {{how, 0s, 1ms}}, how));
  }
  const auto what_if = replay(sim, recorded, aio::pipe(plain(2, 2s)), {.seed = 7});
  const auto s = aio::summarize(what_if.trace);
  EXPECT_EQ(s.attempts, 800);
  EXPECT_EQ(what_if.assumed, 200);
  EXPECT_NEAR(static_cast<double>(s.failed), 67, 27);  // of 200, each with 1/3; four standard deviations
}

TEST_F(Replay, GoesTheSameWayForTheSameSeed) {
  aio::trace recorded;
  for (int i = 0; i < 100; ++i) {
    const auto how = i % 2 == 0 ? ending_word::failure : ending_word::success;
    recorded.calls.push_back(call_at(i * 10ms, {{how, 0s, 1ms}}, how));
  }
  const auto once = replay(sim, recorded, aio::pipe(plain(3, 3s)), {.seed = 7});
  const auto twice = replay(sim, recorded, aio::pipe(plain(3, 3s)), {.seed = 7});
  const auto other = replay(sim, recorded, aio::pipe(plain(3, 3s)), {.seed = 8});
  EXPECT_EQ(once.trace, twice.trace);
  EXPECT_NE(once.trace, other.trace);
}

TEST_F(Replay, TellsHowLongAnotherRateWouldHaveMadeThemWait) {
  aio::trace recorded;
  for (int i = 0; i < 10; ++i) recorded.calls.push_back(call_at(0s, {{ending_word::success, 0s, 100ms}}));
  limiter_m limiter{{.rate = 2, .capacity = 1}};
  const auto s = aio::summarize(replay(sim, recorded, aio::pipe(limiter)).trace);
  EXPECT_EQ(s.succeeded, 10);
  EXPECT_EQ(s.waited_p50, 2s);  // 0 s, 0.5 s … 4.5 s
  EXPECT_EQ(s.waited_p99, 4500ms);
}

TEST_F(Replay, FailsWhatATimeoutCutUnlessAShorterOneDoes) {
  aio::trace recorded;
  recorded.calls.push_back(call_at(0s, {{ending_word::timed_out, 0s, 2s}}, ending_word::timed_out));
  const auto longer = replay(sim, recorded, aio::pipe(timeout_m(10s)));
  EXPECT_EQ(longer.cut_short, 1);
  EXPECT_EQ(longer.trace.calls.at(0).took, 2s + 1ns);
  EXPECT_EQ(longer.trace.calls.at(0).how, ending_word::timed_out);
  const auto shorter = replay(sim, recorded, aio::pipe(timeout_m(1s)));
  EXPECT_EQ(shorter.trace.calls.at(0).took, 1s);
}

TEST_F(Replay, CancelsWhatItsCallerCancelled) {
  aio::trace recorded;
  recorded.calls.push_back(call_at(0s, {{ending_word::cancelled, 0s, 3s}}, ending_word::cancelled));
  recorded.calls.push_back(call_at(1s, {{ending_word::success, 0s, 1s}}));
  const auto again = replay(sim, recorded, aio::pipe(plain(3, 1s)));
  ASSERT_EQ(again.trace.calls.size(), 2u);
  EXPECT_EQ(again.trace.calls[1], recorded.calls[0]);
}

TEST_F(Replay, TakesAPipelineChosenAtRunTime) {
  const auto recorded = record_an_outage(sim);
  breaker_m breaker{{.failure_threshold = 6, .timeout = 10s}};
  const aio::any_policy chosen = timeout_m(20s) | deaf(3, 1s) | breaker | timeout_m(2s);
  EXPECT_EQ(aio::to_text(replay(sim, recorded, chosen).trace), aio::to_text(recorded));
}

TEST_F(Replay, KeepsWhatWasIgnored) {
  aio::trace recorded;
  recorded.calls.push_back(call_at(0s, {{ending_word::ignored, 0s, 1s}}, ending_word::ignored));
  breaker_m breaker{{.failure_threshold = 1, .classify = replayed_verdict}};
  const auto again = replay(sim, recorded, aio::pipe(breaker));
  EXPECT_EQ(again.trace, recorded);
  EXPECT_EQ(breaker.state(), core::circuit_state::closed);
}

TEST_F(Replay, KeepsPipelinesApart) {
  aio::trace recorded;
  recorded.calls.push_back(call_at(0s, {{ending_word::failure, 0s, 1s}}, ending_word::failure));
  recorded.calls.push_back(call_at(0s, {{ending_word::success, 0s, 1s}}));
  recorded.calls.back().pipeline = "q";
  const auto what_if = replay(sim, recorded, aio::pipe(plain(3, 5s)));
  EXPECT_EQ(aio::summarize(aio::of_pipeline(what_if.trace, "p")).failed_attempts, 3);
  EXPECT_EQ(aio::summarize(aio::of_pipeline(what_if.trace, "q")).attempts, 1);
}

TEST_F(Replay, RefusesWhatItCannotGoBy) {
  const auto p = aio::pipe(plain(3, 5s));
  EXPECT_TRUE(replay(sim, {}, p).trace.calls.empty());
  aio::trace refused_all;
  refused_all.calls.push_back(call_at(0s, {}, ending_word::refused));
  EXPECT_THROW(replay(sim, refused_all, p), std::invalid_argument);
  EXPECT_THROW(replay(sim, {}, p, {.neighbours = 0}), std::invalid_argument);
  EXPECT_THROW(replay(sim, {}, p, {.tolerance = -1s}), std::invalid_argument);
  aio::trace endless;
  endless.calls.push_back(call_at(0s, {{ending_word::success, 0s, duration::max()}}));
  EXPECT_THROW(replay(sim, endless, p), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::testing
