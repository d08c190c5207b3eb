#include "dspu/options.hpp"

#include "app/temporary_directory.hpp"
#include "dspu/failure.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

fetch_options parsed(std::vector<std::string> arguments) {
  fetch_options options;
  CLI::App app;
  add_fetch_options(app, options);
  std::ranges::reverse(arguments);  // as CLI11 takes them
  app.parse(arguments);
  return options;
}

std::string refusal(std::vector<std::string> arguments);

TEST(FetchOptions, TakesBoundsOfThePaceAndRatesOfSingleOrigins) {
  const fetch_options o = parsed({"http://h", "--pace", "max=100/s,min=1/m,burst=20,initial=5/s", "--origin-rate",
                                  "https://api.test:443/=50/s,burst=20", "--origin-rate", "http://b=1/m"});
  EXPECT_EQ(o.pace.max_rate, 100);
  EXPECT_NEAR(o.pace.min_rate, 1.0 / 60, 1e-12);
  EXPECT_EQ(o.pace.max_burst, 20);
  EXPECT_EQ(o.pace.initial_rate, 5);
  ASSERT_EQ(o.origin_rates.size(), 2u);
  EXPECT_EQ(o.origin_rates.at("https://api.test").burst, 20);
  EXPECT_TRUE(to_engine_options(o).flow.scheduling.origin.pace);
  EXPECT_FALSE(to_engine_options(parsed({"http://h", "--no-pace"})).flow.scheduling.origin.pace);
  EXPECT_THAT(refusal({"http://h", "--pace", "min=5/s,max=1/s"}), HasSubstr("--pace"));
  EXPECT_THAT(refusal({"http://h", "--pace", "quick"}), HasSubstr("bounds of a pace"));
  EXPECT_THAT(refusal({"http://h", "--origin-rate", "50/s"}), HasSubstr("--origin-rate"));
}

std::string refusal(std::vector<std::string> arguments) {
  try {
    parsed(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FetchOptions, HasTheDefaultsThatHelpShows) {
  fetch_options untouched;
  const fetch_options o = parsed({"http://h"});
  EXPECT_EQ(o.concurrency, 50u);
  EXPECT_EQ(o.host_concurrency, 8u);
  EXPECT_EQ(o.max_attempts, 3u);
  EXPECT_EQ(o.retry, parse_retry_on("408,425,429,500,502,503,504,connect,reset,timeout,dns_temporary"));
  EXPECT_EQ(o.backoff.base_delay, 1s);
  EXPECT_EQ(o.backoff.max_delay, 60s);
  EXPECT_EQ(o.retry_after_max, 2h);
  EXPECT_FALSE(o.no_pace);
  EXPECT_EQ(o.breaker.failure_threshold, 0);
  EXPECT_EQ(o.breaker.window.calls, 20);
  EXPECT_EQ(o.breaker.window.failure_rate, 0.8);
  EXPECT_EQ(o.breaker.success_threshold, 3);
  EXPECT_EQ(o.breaker.timeout, 1s);
  EXPECT_EQ(o.breaker.max_timeout, 30s);
  EXPECT_EQ(o.connect_timeout, 5s);
  EXPECT_EQ(o.first_byte_timeout, 30s);
  EXPECT_EQ(o.stall_timeout, 30s);
  EXPECT_EQ(o.timeout, std::chrono::nanoseconds::max()) << "it would cut a healthy download";
  EXPECT_EQ(o.deadline, 5min);
  EXPECT_EQ(o.max_time, std::chrono::nanoseconds::max());
  EXPECT_EQ(o.max_redirects, 10u);
  EXPECT_EQ(o.output, "-");
}

TEST(FetchOptions, ReadsEveryGroup) {
  const fetch_options o = parsed(
      {"-i",         "list",      "-j",         "7",        "--host-rate",   "100/m,burst=3", "-r",
       "5/15s",      "--backoff", "linear",     "--jitter", "none",          "--multiplier",  "1.5",
       "--deadline", "none",      "--max-time", "2h",       "--inline-body", "64k",           "-H",
       "A: b",       "-H",        "C: d",       "http://h", "--retry-on",    "503",           "--no-breaker",
       "--resume",   "-o",        "out"});
  EXPECT_THAT(o.inputs, ElementsAre("list"));
  EXPECT_THAT(o.urls, ElementsAre("http://h"));
  EXPECT_THAT(o.headers, ElementsAre("A: b", "C: d"));
  EXPECT_EQ(o.concurrency, 7u);
  EXPECT_EQ(o.host_rate, (rate_spec{100, 1min, 3.0}));
  EXPECT_EQ(o.rate, (rate_spec{5, 15s, {}}));
  EXPECT_EQ(o.backoff.strategy, dspu::core::backoff_strategy::linear);
  EXPECT_EQ(o.backoff.jitter, dspu::core::jitter::none);
  EXPECT_EQ(o.deadline, std::chrono::nanoseconds::max());
  EXPECT_EQ(o.max_time, 2h);
  EXPECT_EQ(o.inline_body, 65536u);
  EXPECT_TRUE(o.no_breaker);
  const engine_options made = to_engine_options(o);
  EXPECT_FALSE(made.flow.scheduling.origin.breaker.has_value());
  EXPECT_EQ(made.flow.scheduling.concurrency, 7u);
  EXPECT_EQ(made.max_time, 2h);
}

TEST(FetchOptions, NamesTheFlagTheValueAndTheRange) {
  EXPECT_THAT(refusal({"-j", "0"}),
              AllOf(HasSubstr("--concurrency"), HasSubstr("'0'"), HasSubstr("1 to 100000")));
  EXPECT_THAT(refusal({"--timeout", "30"}),
              AllOf(HasSubstr("--timeout"), HasSubstr("'30'"), HasSubstr("30s")));
  EXPECT_THAT(refusal({"--timeout", "0"}), AllOf(HasSubstr("--timeout"), HasSubstr("more than 0")));
  EXPECT_THAT(refusal({"--host-rate", "fast"}), AllOf(HasSubstr("--host-rate"), HasSubstr("'fast'")));
  EXPECT_THAT(refusal({"--backoff", "cubic"}),
              AllOf(HasSubstr("--backoff"), HasSubstr("exponential, linear")));
  EXPECT_THAT(refusal({"--retry-on", "200"}),
              AllOf(HasSubstr("--retry-on"), HasSubstr("'200'"), HasSubstr("400 to 599")));
  EXPECT_THAT(refusal({"--multiplier", "nan"}), AllOf(HasSubstr("--multiplier"), HasSubstr("0 to 1000")));
  EXPECT_THAT(refusal({"-X", "G T"}), AllOf(HasSubstr("--method"), HasSubstr("'G T'")));
  EXPECT_NE(refusal({"-q", "-v"}), "accepted");
  EXPECT_NE(refusal({"--no-such-flag"}), "accepted");
}

TEST(FetchOptions, ReadsRetryBudgetAndAdaptiveConcurrency) {
  const fetch_options none = parsed({"http://h"});
  EXPECT_FALSE(none.retry_budget.has_value());
  EXPECT_FALSE(none.adaptive_concurrency.has_value());
  const fetch_options o = parsed(
      {"http://h", "--retry-budget", "10%,floor=2/s", "--adaptive-concurrency=vegas,max=30", "-j", "20"});
  const auto made = to_engine_options(o).flow.scheduling.origin;
  EXPECT_EQ(made.retry_budget->retries_per_call, 0.1);
  EXPECT_EQ(made.adaptive->algorithm, dspu::core::limit_algorithm::vegas);
  EXPECT_EQ(most_per_origin(o), 20u);
  EXPECT_EQ(parsed({"http://h", "--adaptive-concurrency"}).adaptive_concurrency->algorithm,
            dspu::core::limit_algorithm::gradient2);
  EXPECT_EQ(
      parsed({"--adaptive-concurrency", "--retry-budget", "0.5", "http://h"}).adaptive_concurrency->initial,
      8);
  EXPECT_THAT(parsed({"--adaptive-concurrency", "http://h"}).urls, ElementsAre("http://h"));
  EXPECT_NE(refusal({"http://h", "--adaptive-concurrency", "--host-concurrency", "3"}), "accepted");
  EXPECT_THAT(refusal({"http://h", "--retry-budget", "much"}),
              AllOf(HasSubstr("--retry-budget"), HasSubstr("'much'")));
}

TEST(FetchOptions, ReadsWhoIsToldOfItsDecisions) {
  const fetch_options o = parsed({"http://h", "--metrics", "127.0.0.1:9090", "--record", "calls.trace"});
  EXPECT_EQ(o.metrics->port(), 9090);
  EXPECT_EQ(o.record, "calls.trace");
  EXPECT_FALSE(parsed({"http://h"}).metrics.has_value());
  EXPECT_THAT(refusal({"http://h", "--metrics", "192.168.0.1:9090"}),
              AllOf(HasSubstr("--metrics"), HasSubstr("not on loopback")));
}

TEST(FetchOptions, ReadsHedges) {
  const auto made = to_engine_options(parsed({"http://h", "--hedge", "p95,max=2"})).flow.hedge;
  EXPECT_EQ(made->quantile, 0.95);
  EXPECT_EQ(made->max_hedges, 2);
  EXPECT_FALSE(to_engine_options(parsed({"http://h"})).flow.hedge.has_value());
  EXPECT_THAT(refusal({"http://h", "--hedge", "95"}), AllOf(HasSubstr("--hedge"), HasSubstr("p95")));
}

std::string contradiction(fetch_options options, bool piped) {
  try {
    check(options, piped);
  } catch (const usage_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(FetchOptions, FindsContradictions) {
  EXPECT_THAT(contradiction({}, false), HasSubstr("nothing to fetch"));
  EXPECT_EQ(contradiction({}, true), "accepted");
  EXPECT_THAT(contradiction(parsed({"http://h", "--resume"}), false), HasSubstr("--resume needs -o FILE"));
  EXPECT_THAT(contradiction(parsed({"http://h", "-o", "o", "--retry-failed"}), false),
              HasSubstr("needs --resume"));
  EXPECT_THAT(contradiction(parsed({"http://h", "--output-name", "{n}"}), false), HasSubstr("--save DIR"));
  EXPECT_THAT(contradiction(parsed({"http://h", "--overwrite"}), false), HasSubstr("--save DIR"));
  EXPECT_EQ(contradiction(parsed({"http://h", "--save", "d", "--output-name", "{n}"}), false), "accepted");
}

TEST(FetchOptions, ReadsNamesOfHeaders) {
  EXPECT_THAT(parsed({"http://h", "--origin-only", "X-Api-Key,X-Token"}).origin_only,
              ElementsAre("X-Api-Key", "X-Token"));
  EXPECT_THAT(refusal({"http://h", "--origin-only", "X-Api-Key, X"}), HasSubstr("--origin-only"));
}

// Such headers are for the origin that was asked, and stand in no file.
TEST(FetchOptions, ReadsSecretHeadersOnce) {
  dspu::app::testing::temporary_directory directory;
  dspu::app::testing::write_file(directory / "headers", "X-Api-Key: s3cret\n");
  fetch_options o = parsed({"http://h", "-H", "@" + (directory / "headers"), "-H", "A: b"});
  check(o, false);
  std::filesystem::remove(directory / "headers");
  EXPECT_THAT(to_input_options(o).defaults.headers, ElementsAre(Pair("X-Api-Key", "s3cret"), Pair("A", "b")));
  EXPECT_THAT(to_engine_options(o).flow.origin_only, ElementsAre("X-Api-Key"));
  EXPECT_THAT(contradiction(parsed({"http://h", "--header-env", "A: $DSPU_NO_SUCH_VARIABLE"}), false),
              HasSubstr("DSPU_NO_SUCH_VARIABLE is not set"));
}

TEST(FetchOptions, SaysWhatIsWrongWithANameForBodies) {
  EXPECT_THAT(refusal({"http://h", "--save", "d", "--output-name", "{nr}"}),
              AllOf(HasSubstr("--output-name"), HasSubstr("'{nr}' is no field")));
}

TEST(FetchOptions, TakesPipedInputOnlyWhenThereIsNoOther) {
  fetch_options none;
  check(none, true);
  EXPECT_THAT(none.inputs, ElementsAre("-"));
  fetch_options some = parsed({"http://h"});
  check(some, true);
  EXPECT_TRUE(some.inputs.empty());
}

// @- was looked for as a file named "-".
TEST(FetchOptions, TakesTheBodyOrTheListFromStandardInput) {
  fetch_options body = parsed({"http://h", "-d", "@-"});
  EXPECT_NO_THROW(check(body, true));
  EXPECT_TRUE(body.inputs.empty());
  fetch_options both = parsed({"-i", "-", "-d", "@-"});
  EXPECT_THROW(check(both, true), usage_error);
  fetch_options no_list = parsed({"-d", "@-"});
  EXPECT_THROW(check(no_list, true), usage_error);
}

TEST(FetchOptions, ReadsTheBodyFromAFile) {
  dspu::app::testing::temporary_directory directory;
  dspu::app::testing::write_file(directory / "body", "from a file\n");
  const auto body_of = [](const std::string& data) {
    fetch_options options = parsed({"http://h", "-d", data});
    read_body(options);
    return to_input_options(options).defaults.body;
  };
  EXPECT_EQ(body_of("@" + (directory / "body")), "from a file\n");
  EXPECT_EQ(body_of("plain"), "plain");
  EXPECT_THROW(body_of("@/nonexistent"), usage_error);
  EXPECT_THROW(body_of("@" + (directory / "")), usage_error) << "a directory is no body";
  EXPECT_THAT(refusal({"http://h", "-d", "@"}), HasSubstr("names no file"));
  EXPECT_THROW(to_input_options(parsed({"http://h", "-H", "no colon"})), usage_error);
}

}  // namespace
