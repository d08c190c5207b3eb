#include "dspu/fetch_config.hpp"

#include "app/temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <string>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FetchConfig : public ::testing::Test {
 protected:
  fetch_options read(const std::string& text, const std::set<std::string>& flags = {},
                     fetch_options options = {}) {
    dspu::app::testing::write_file(file, text);
    apply_config(file, options, [&](const std::string& flag) { return flags.contains(flag); });
    return options;
  }
  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  }

  dspu::app::testing::temporary_directory directory;
  const std::string file = directory / "policies.json";
};

TEST_F(FetchConfig, SetsEveryPolicyByItsName) {
  const fetch_options o = read(R"({"policies": {
      "breaker": {"circuit_breaker": {"failure_threshold": 0, "timeout": "5s",
                                      "window": {"time": "30s", "failure_rate": "30%"}}},
      "rate": {"rate_limiter": "20/s"},
      "host_rate": {"rate_limiter": "100/m,burst=10"},
      "retry": {"retry": {"max_attempts": 5, "base_delay": "200ms", "max_retry_after": "1m"}},
      "retry_budget": {"retry_budget": "10%"},
      "timeout": {"timeout": "20s"},
      "concurrency": {"bulkhead": 30},
      "host_concurrency": {"bulkhead": {"limit": 3}}}})");
  EXPECT_EQ(o.breaker.timeout, 5s);
  EXPECT_EQ(o.breaker.window.time, 30s);
  EXPECT_EQ(o.breaker.window.failure_rate, 0.3);
  EXPECT_EQ(o.rate->amount, 20);
  EXPECT_EQ(o.host_rate->per, 1min);
  EXPECT_EQ(o.host_rate->burst, 10);
  EXPECT_EQ(o.max_attempts, 5u);
  EXPECT_EQ(o.backoff.base_delay, 200ms);
  EXPECT_EQ(o.retry_after_max, 1min);
  EXPECT_EQ(o.retry_budget->retries_per_call, 0.1);
  EXPECT_EQ(o.timeout, 20s);
  EXPECT_EQ(o.concurrency, 30u);
  EXPECT_EQ(o.host_concurrency, 3u);
  // And it holds for a run.
  EXPECT_EQ(to_engine_options(o).flow.scheduling.origin.breaker->window.time, 30s);
}

TEST_F(FetchConfig, SetsHedgesAndLearntLimits) {
  const std::string text = R"({"policies": {
      "hedge": {"hedge": {"quantile": 0.9, "delay": "1s", "max_hedges": 2}},
      "adaptive_concurrency": {"adaptive_concurrency": {"algorithm": "vegas", "initial": 4, "max": 32}}}})";
  const fetch_options o = read(text);
  EXPECT_EQ(o.hedge->quantile, 0.9);
  EXPECT_EQ(o.hedge->delay, 1s);
  EXPECT_EQ(o.hedge->max_hedges, 2);
  EXPECT_EQ(o.adaptive_concurrency->algorithm, dspu::core::limit_algorithm::vegas);
  EXPECT_EQ(o.adaptive_concurrency->initial, 4);
  EXPECT_EQ(o.adaptive_concurrency->max, 32);
  EXPECT_FALSE(read(text, {"--host-concurrency"}).adaptive_concurrency.has_value());
  EXPECT_FALSE(read(text, {"--hedge"}).hedge.has_value());
  EXPECT_THAT(refusal(R"({"policies": {"hedge": {"hedge": {"delay": "1s", "shadow": true}}}})"),
              HasSubstr("/policies/hedge/hedge/shadow"));
}

TEST_F(FetchConfig, LetsTheCommandLineGoFirst) {
  fetch_options typed;
  typed.max_attempts = 9;
  typed.breaker.timeout = 7s;
  typed.host_rate = rate_spec{1, 1s, {}};
  const fetch_options o = read(R"({"policies": {
      "breaker": {"circuit_breaker": {"failure_threshold": 3, "timeout": "5s"}},
      "host_rate": {"rate_limiter": "100/m"},
      "retry": {"retry": {"max_attempts": 5, "base_delay": "200ms"}}}})",
                               {"--max-attempts", "--breaker-timeout", "--host-rate"}, typed);
  EXPECT_EQ(o.max_attempts, 9u);
  EXPECT_EQ(o.backoff.base_delay, 200ms);
  EXPECT_EQ(o.breaker.timeout, 7s);
  EXPECT_EQ(o.breaker.failure_threshold, 3);
  EXPECT_EQ(o.host_rate->amount, 1);
}

TEST_F(FetchConfig, LeavesWhatTheFileDoesNotName) {
  const fetch_options o = read("{}");
  EXPECT_EQ(o.timeout, std::chrono::nanoseconds::max());
  EXPECT_FALSE(o.retry_budget.has_value());
}

TEST_F(FetchConfig, NamesThePathOfWhatIsWrong) {
  EXPECT_THAT(
      refusal(R"({"policies": {"retry": {"retry": {"max_attempts": 0}}}})"),
      AllOf(HasSubstr("policies.json"), HasSubstr("/policies/retry/retry/max_attempts"), HasSubstr("0")));
  EXPECT_THAT(refusal(R"({"policies": {"brake": {"circuit_breaker": 5}}})"),
              AllOf(HasSubstr("/policies/brake"), HasSubstr("none of adaptive_concurrency, breaker")));
  EXPECT_THAT(refusal(R"({"policies": {"breaker": {"retry": 5}}})"),
              AllOf(HasSubstr("/policies/breaker"), HasSubstr("is a retry; must be a circuit_breaker")));
  EXPECT_THAT(refusal(R"({"policies": {"rate": {"rate_limiter": {"rate": "5/s", "also": ["100/m"]}}}})"),
              HasSubstr("/policies/rate/rate_limiter/also"));
  EXPECT_THAT(refusal(R"({"pipelines": {"mine": ["timeout 1s"]}})"), HasSubstr("/pipelines/mine"));
  EXPECT_THAT(refusal("{"), HasSubstr("policies.json"));
  EXPECT_THROW(apply_config(directory / "absent", *std::make_unique<fetch_options>(), {}),
               std::invalid_argument);
}

}  // namespace
