#include "dspu/prometheus/metrics.hpp"

#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"

#include <prometheus/text_serializer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace dspu::prometheus {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::manual_clock;
using ::testing::Not;
using retry_m = aio::basic_retry<manual_clock>;
using breaker_m = aio::basic_circuit_breaker<manual_clock>;
using limiter_m = aio::basic_rate_limiter<manual_clock>;
using timeout_m = aio::basic_timeout<manual_clock>;

// The text that a scrape gives, its lines in order: prometheus-cpp keeps series in a hash table.
std::string scrape(const ::prometheus::Registry& registry) {
  std::istringstream text(::prometheus::TextSerializer{}.Serialize(registry.Collect()));
  std::vector<std::string> blocks;
  std::vector<std::string> series;
  const auto end_block = [&] {
    std::sort(series.begin(), series.end());
    for (auto& s : series) blocks.push_back(std::move(s));
    series.clear();
  };
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('#')) {
      end_block();
      blocks.push_back(line);
    } else {
      series.push_back(line);
    }
  }
  end_block();
  std::string all;
  for (const auto& line : blocks) all += line + '\n';
  return all;
}

class Metrics : public ::testing::Test {
 protected:
  testing::simulator sim;
  testing::script op;
  ::prometheus::Registry registry;
  metrics seen{registry, {.seconds = {0.5, 2}, .attempts = {1, 3}}};

  template <class P>
  void run(const P& p, std::string name = "catalog") {
    try {
      sim.run(p.observed_by(seen, std::move(name)).call([this] { return op(); }));
    } catch (const std::exception&) {
    }
  }
};

TEST_F(Metrics, GivesThisTextForACallThatIsRetriedIntoAnOpenBreaker) {
  breaker_m breaker{{.failure_threshold = 2, .timeout = 60s}};
  op.fails(1s);
  run(retry_m({.max_attempts = 3, .base_delay = 2s, .jitter = aio::jitter::none}) | breaker);
  EXPECT_EQ(scrape(registry),
            R"(# HELP dspu_calls_total Calls through the pipeline that ended, by how they ended.
# TYPE dspu_calls_total counter
dspu_calls_total{outcome="refused",pipeline="catalog"} 1
# HELP dspu_attempts_total Runs of the operation that ended, first ones and retries.
# TYPE dspu_attempts_total counter
dspu_attempts_total{attempt="first",outcome="failure",pipeline="catalog"} 1
dspu_attempts_total{attempt="retry",outcome="failure",pipeline="catalog"} 1
# HELP dspu_retries_total Retries that were scheduled, by what set their pause.
# TYPE dspu_retries_total counter
dspu_retries_total{pipeline="catalog",reason="backoff"} 2
# HELP dspu_retries_abandoned_total Failed attempts that were not retried, by why.
# TYPE dspu_retries_abandoned_total counter
dspu_retries_abandoned_total{pipeline="catalog",reason="attempts_exhausted"} 1
# HELP dspu_refusals_total Calls and attempts that a policy refused.
# TYPE dspu_refusals_total counter
dspu_refusals_total{pipeline="catalog",policy="circuit_breaker",reason="open"} 1
# HELP dspu_circuit_breaker_transitions_total Changes of the circuit breaker's state, by the new state and what caused it.
# TYPE dspu_circuit_breaker_transitions_total counter
dspu_circuit_breaker_transitions_total{pipeline="catalog",reason="failures",state="open"} 1
# HELP dspu_circuit_breaker_state 1 for the state that the circuit breaker is in.
# TYPE dspu_circuit_breaker_state gauge
dspu_circuit_breaker_state{pipeline="catalog",state="closed"} 0
dspu_circuit_breaker_state{pipeline="catalog",state="half_open"} 0
dspu_circuit_breaker_state{pipeline="catalog",state="isolated"} 0
dspu_circuit_breaker_state{pipeline="catalog",state="open"} 1
# HELP dspu_call_duration_seconds How long calls took, pauses and waits included.
# TYPE dspu_call_duration_seconds histogram
dspu_call_duration_seconds_bucket{pipeline="catalog",le="+Inf"} 1
dspu_call_duration_seconds_bucket{pipeline="catalog",le="0.5"} 0
dspu_call_duration_seconds_bucket{pipeline="catalog",le="2"} 0
dspu_call_duration_seconds_count{pipeline="catalog"} 1
dspu_call_duration_seconds_sum{pipeline="catalog"} 8
# HELP dspu_call_attempts Attempts that a call took.
# TYPE dspu_call_attempts histogram
dspu_call_attempts_bucket{pipeline="catalog",le="+Inf"} 1
dspu_call_attempts_bucket{pipeline="catalog",le="1"} 0
dspu_call_attempts_bucket{pipeline="catalog",le="3"} 1
dspu_call_attempts_count{pipeline="catalog"} 1
dspu_call_attempts_sum{pipeline="catalog"} 2
# HELP dspu_attempt_duration_seconds How long runs of the operation took.
# TYPE dspu_attempt_duration_seconds histogram
dspu_attempt_duration_seconds_bucket{pipeline="catalog",le="+Inf"} 2
dspu_attempt_duration_seconds_bucket{pipeline="catalog",le="0.5"} 0
dspu_attempt_duration_seconds_bucket{pipeline="catalog",le="2"} 2
dspu_attempt_duration_seconds_count{pipeline="catalog"} 2
dspu_attempt_duration_seconds_sum{pipeline="catalog"} 2
# HELP dspu_retry_delay_seconds Pauses before retries.
# TYPE dspu_retry_delay_seconds histogram
dspu_retry_delay_seconds_bucket{pipeline="catalog",le="+Inf"} 2
dspu_retry_delay_seconds_bucket{pipeline="catalog",le="0.5"} 0
dspu_retry_delay_seconds_bucket{pipeline="catalog",le="2"} 1
dspu_retry_delay_seconds_count{pipeline="catalog"} 2
dspu_retry_delay_seconds_sum{pipeline="catalog"} 6
)");
}

TEST_F(Metrics, MeasuresWaitsAndCountsTimeoutsAndShadows) {
  limiter_m limiter{{.rate = 1, .capacity = 1}};
  limiter_m shadow{{.rate = 1, .capacity = 1, .shadow = true}};
  op.returns(1);
  for (int i = 0; i < 2; ++i) run(limiter | shadow);
  for (int i = 0; i < 2; ++i) run(aio::pipe(shadow));
  testing::script silent;
  silent.hangs();
  const auto impatient = aio::pipe(timeout_m(2s)).observed_by(seen, "catalog");
  EXPECT_THROW(sim.run(impatient.call([&] { return silent(); })), aio::async_timeout_error);
  const auto text = scrape(registry);
  EXPECT_THAT(text,
              HasSubstr("dspu_wait_duration_seconds_sum{pipeline=\"catalog\",policy=\"rate_limiter\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("dspu_shadow_decisions_total{pipeline=\"catalog\",policy=\"rate_limiter\",reason="
                        "\"tokens\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("dspu_timeouts_total{pipeline=\"catalog\",reason=\"expired\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("dspu_calls_total{outcome=\"timed_out\",pipeline=\"catalog\"} 1\n"));
}

TEST_F(Metrics, ShowsThePaceThatIsLearnt) {
  aio::basic_adaptive_rate<manual_clock> pace{{.classify = [](const aio::outcome& o) {
    return o.failed() ? aio::verdict::failure : aio::verdict::success;
  }}};
  op.fails().fails().fails().fails();
  for (int i = 0; i < 4; ++i) run(aio::pipe(pace));
  EXPECT_THAT(scrape(registry), HasSubstr("dspu_adaptive_rate_limit{pipeline=\"catalog\"} 2\n"));
  EXPECT_THAT(scrape(registry), Not(HasSubstr("dspu_concurrency_limit{")));
  seen.update("catalog", aio::adaptive_rate_statistics{.pace = 7});
  EXPECT_THAT(scrape(registry), HasSubstr("dspu_adaptive_rate_limit{pipeline=\"catalog\"} 7\n"));
}

TEST_F(Metrics, TakesGaugesFromWhatThePoliciesSayOfThemselves) {
  breaker_m breaker;
  limiter_m limiter{{.rate = 10, .capacity = 20}};
  breaker.isolate();
  EXPECT_TRUE(limiter.try_acquire(5));
  seen.update("catalog", breaker.statistics());
  seen.update("catalog", limiter.statistics());
  const auto text = scrape(registry);
  EXPECT_THAT(text, HasSubstr("dspu_circuit_breaker_state{pipeline=\"catalog\",state=\"isolated\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("dspu_circuit_breaker_state{pipeline=\"catalog\",state=\"closed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("dspu_rate_limiter_tokens{pipeline=\"catalog\"} 15\n"));
  EXPECT_THAT(text, HasSubstr("dspu_rate_limiter_waiting{pipeline=\"catalog\"} 0\n"));
}

TEST_F(Metrics, KeepsTheNewestStateWhateverOrderTheNewsCameIn) {
  breaker_m breaker;
  const auto before = breaker.statistics();
  breaker.isolate();
  seen.update("catalog", breaker.statistics());
  seen.update("catalog", before);
  EXPECT_THAT(scrape(registry),
              HasSubstr("dspu_circuit_breaker_state{pipeline=\"catalog\",state=\"isolated\"} 1\n"));
}

TEST_F(Metrics, BoundsTheNamesOfPipelines) {
  ::prometheus::Registry bounded;
  metrics few(bounded, {.max_pipelines = 2});
  op.returns(1);
  const auto p = aio::pipe(retry_m{});
  for (const char* name : {"a", "b", "c", "d", "a"}) {
    sim.run(p.observed_by(few, name).call([this] { return op(); }));
  }
  const auto text = scrape(bounded);
  EXPECT_THAT(text, HasSubstr("dspu_calls_total{outcome=\"success\",pipeline=\"a\"} 2\n"
                              "dspu_calls_total{outcome=\"success\",pipeline=\"b\"} 1\n"
                              "dspu_calls_total{outcome=\"success\",pipeline=\"other\"} 2\n"));
}

TEST_F(Metrics, BoundsTheWordsOfPolicies) {
  const std::exception_ptr none;
  for (int i = 0; i < 1000; ++i) {
    const auto reason = std::to_string(i);
    seen.on_event({.kind = aio::event_kind::refused,
                   .pipeline = "catalog",
                   .policy = "mine",
                   .reason = reason,
                   .state = {},
                   .at = {},
                   .call = 1,
                   .attempt = 1,
                   .facts = {},
                   .error = none});
  }
  const auto text = scrape(registry);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2 + 200 + 1);
  EXPECT_THAT(text,
              HasSubstr("dspu_refusals_total{pipeline=\"catalog\",policy=\"other\",reason=\"other\"} 800\n"));
}

TEST_F(Metrics, ShareARegistry) {
  metrics second(registry);
  op.returns(1);
  const auto p = aio::pipe(retry_m{});
  sim.run(p.observed_by(seen, "a").call([this] { return op(); }));
  sim.run(p.observed_by(second, "a").call([this] { return op(); }));
  EXPECT_THAT(scrape(registry), HasSubstr("dspu_calls_total{outcome=\"success\",pipeline=\"a\"} 2\n"));
}

TEST_F(Metrics, LeavesTheStateOutWhereAskedTo) {
  ::prometheus::Registry plain;
  metrics without(plain, {.circuit_breaker_state = false});
  breaker_m breaker{{.failure_threshold = 1}};
  op.fails();
  EXPECT_THROW(sim.run(aio::pipe(breaker).observed_by(without, "a").call([this] { return op(); })),
               std::exception);
  const auto text = scrape(plain);
  EXPECT_THAT(text, HasSubstr("dspu_circuit_breaker_transitions_total{"));
  EXPECT_THAT(text, Not(HasSubstr("dspu_circuit_breaker_state")));
}

TEST_F(Metrics, CountsEveryEventOfManyThreads) {
  constexpr int each = 5000;
  const auto tell = [this](std::string_view pipeline) {
    const std::exception_ptr none;
    const aio::fact facts[] = {{"seconds", 0.25}, {"attempts", 1}};
    for (int i = 0; i < each; ++i) {
      seen.on_event({.kind = aio::event_kind::call_ended,
                     .pipeline = i % 2 == 0 ? pipeline : "shared",
                     .policy = {},
                     .reason = i % 3 == 0 ? "success" : "failure",
                     .state = {},
                     .at = {},
                     .call = 1,
                     .attempt = 1,
                     .facts = facts,
                     .error = none});
    }
  };
  {
    std::vector<std::jthread> threads;
    for (const char* name : {"a", "b", "c", "d"}) threads.emplace_back(tell, name);
  }
  const auto text = scrape(registry);
  EXPECT_THAT(text, HasSubstr("dspu_call_duration_seconds_count{pipeline=\"shared\"} 10000\n"));
  EXPECT_THAT(text, HasSubstr("dspu_call_duration_seconds_count{pipeline=\"d\"} 2500\n"));
  EXPECT_EQ(seen.lost(), 0u);
}

TEST_F(Metrics, NamesABadOption) {
  ::prometheus::Registry unused;
  EXPECT_THROW(metrics(unused, {.seconds = {1, 1}}), std::invalid_argument);
  EXPECT_THROW(metrics(unused, {.max_pipelines = 0}), std::invalid_argument);
}

}  // namespace
}  // namespace dspu::prometheus
