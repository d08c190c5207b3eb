#include "dspu/config/configuration.hpp"

#include "dspu/aio/lint.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace dspu::config {
namespace {

using namespace std::chrono_literals;
using aio::awaitable;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using configuration_m = basic_configuration<manual_clock>;
using breaker_m = aio::basic_circuit_breaker<manual_clock>;
using limiter_m = aio::basic_rate_limiter<manual_clock>;

constexpr std::string_view shop = R"({
  "policies": {
    "backend": {"circuit_breaker": {"failure_threshold": 3, "timeout": "30s"}},
    "api": {"rate_limiter": "10/s,burst=20"},
    "spare": {"retry_budget": {"retries_per_call": "20%"}}
  },
  "pipelines": {
    "catalog": ["timeout 10s", {"retry": {"max_attempts": 5, "strategy": "constant", "base_delay": "1s",
                                          "jitter": "none", "budget": "spare"}}, "backend", "api", {"timeout": "2s"}],
    "orders": ["backend", {"bulkhead": {"limit": 10, "max_queue": 100}}],
    "bare": []
  }
})";

TEST(Configuration, GivesPipelinesByName) {
  const configuration config(shop);
  EXPECT_THAT(config.pipelines(), ElementsAre("bare", "catalog", "orders"));
  EXPECT_EQ(config.live("catalog").describe(),
            "timeout(10 s) | retry(5 attempts, constant from 1 s to 1 min, no jitter) | "
            "circuit_breaker(opens after 3 failures, for 30 s) | rate_limiter(10 per 1 s, 20 at once) | timeout(2 s)");
  EXPECT_EQ(config.pipeline("orders").describe(),
            "circuit_breaker(opens after 3 failures, for 30 s) | bulkhead(10 at once, 100 waiting)");
  EXPECT_EQ(config.pipeline("bare").describe(), "");
}

TEST(Configuration, RunsCallsThroughThem) {
  testing::simulator sim;
  const configuration_m config(shop);
  script op;
  op.fails().hangs().returns(7);
  const auto catalog = config.live("catalog");
  EXPECT_EQ(sim.run(catalog.call([&] { return op(); })), 7);
  EXPECT_EQ(sim.elapsed(), 4s);
  op.returns(8);
  EXPECT_EQ(sim.run(catalog([&] { return op(); })()), 8);
  EXPECT_EQ(sim.run(config.live("bare").call([&] { return op(); })), 8);
}

TEST(Configuration, SharesNamedPolicies) {
  testing::simulator sim;
  const configuration_m config(shop);
  script op;
  op.fails();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(sim.run(config.live("orders").call([&] { return op(); })), scripted_failure);
  }
  EXPECT_EQ(config.policy<breaker_m>("backend")->state(), aio::circuit_state::open);
  EXPECT_THROW(sim.run(config.live("catalog").call([&] { return op(); })), aio::deadline_error);  // 30 s do not fit
  EXPECT_EQ(config.policy<limiter_m>("api")->tokens(), 20);
}

TEST(Configuration, KnowsNoOtherNames) {
  const configuration config(shop);
  try {
    static_cast<void>(config.live("catalogue"));
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "configuration: there is no pipeline \"catalogue\"; did you mean \"catalog\"?");
  }
  EXPECT_THROW(config.policy<aio::bulkhead>("nobody"), std::invalid_argument);
  EXPECT_THROW(config.policy<aio::bulkhead>("api"), std::invalid_argument);
}

// ---- what can be wrong ----

std::vector<std::string> wrong_with(std::string_view text, const bindings& functions = {}) {
  try {
    configuration config(text, functions);
    return {};
  } catch (const config_error& e) {
    std::vector<std::string> all;
    for (const auto& p : e.problems()) {
      all.push_back(std::to_string(p.line) + ":" + std::to_string(p.column) + " " + p.pointer + " " + p.text);
    }
    return all;
  }
}

struct mistake {
  const char* text;
  const char* told;
};

const mistake mistakes[] = {
    // the text
    {"", "1:1  is not JSON: incomplete JSON"},
    {"{\n  \"policies\": {,}}", "2:16  is not JSON: syntax error"},
    {"{} x", "1:4  is not JSON: extra data"},
    {"[]", "1:1  is []; must be an object with \"policies\" and \"pipelines\""},
    {R"({"polices": {}})", R"(1:2 /polices no such key; did you mean "policies"?)"},
    {R"({"policies": 3})", "1:14 /policies is 3; must be an object of at most 1000 names"},
    {R"({"policies": {"a": {"retry": {}}, "a": {"retry": {}}}})", "1:35 /policies/a is there twice"},
    {R"({"policies": {"a": {"retry": {"jitter": "none", "jitter": "full"}}}})",
     "1:49 /policies/a/retry/jitter is there twice"},
    {R"({"policies": {"a b": {"retry": {}}}})", "1:15 /policies/a b is no name: it must not be empty, nor hold blanks"},
    {R"({"policies": {"a/b~c": {"retry": 0}}})", "1:34 /policies/a~1b~0c/retry is 0; max_attempts must be at least 1 (the first call counts)"},
    // policies
    {R"({"policies": {"a": {"retri": {}}}})", R"(1:21 /policies/a/retri no such kind of policy; did you mean "retry"?)"},
    {R"({"policies": {"a": {"retry": {}, "timeout": "1s"}}})",
     R"(1:34 /policies/a/timeout a policy has one key, its kind, and this has "retry" already)"},
    {R"({"policies": {"a": {}}})",
     R"(1:20 /policies/a is {}; must be an object with the kind of policy as its key, such as {"retry": {"max_attempts": 5}})"},
    {R"({"policies": {"a": {"retry": {"max_attemps": 5}}}})",
     R"(1:31 /policies/a/retry/max_attemps no such key; did you mean "max_attempts"?)"},
    {R"({"policies": {"a": {"retry": {"max_attempts": 0}}}})",
     "1:47 /policies/a/retry/max_attempts is 0; must be at least 1 (the first call counts)"},
    {R"({"policies": {"a": {"retry": {"max_attempts": 2.5}}}})",
     "1:47 /policies/a/retry/max_attempts is 2.5; must be a whole number"},
    {R"({"policies": {"a": {"retry": {"max_attempts": 99999999999999999999}}}})",
     "1:47 /policies/a/retry/max_attempts is 99999999999999999999; must be a whole number"},
    {R"({"policies": {"a": {"retry": {"multiplier": 1e999}}}})",
     "1:45 /policies/a/retry/multiplier is 1e999; must be a number"},
    {R"({"policies": {"a": {"retry": {"base_delay": 5}}}})",
     R"(1:45 /policies/a/retry/base_delay is 5; must be a duration with its unit, such as "250ms" or "1m30s")"},
    {R"({"policies": {"a": {"retry": {"base_delay": "5"}}}})",
     R"(1:45 /policies/a/retry/base_delay is "5"; must be a duration such as "250ms", "30s" or "1m30s" (units ns, us, ms, s, m, h, d))"},
    {R"({"policies": {"a": {"retry": {"jitter": "half"}}}})",
     R"(1:41 /policies/a/retry/jitter is "half"; must be "none", "full", "equal" or "decorrelated")"},
    {R"({"policies": {"a": {"retry": {"budget": "b"}}, "bb": {"retry_budget": {}}}})",
     R"(1:41 /policies/a/retry/budget is "b"; must be the name of a retry_budget in /policies; did you mean "bb"?)"},
    {R"({"policies": {"a": {"retry": {"classify": "http"}}}})",
     R"(1:43 /policies/a/retry/classify is "http"; must be the name of a filter of the program's; there are none)"},
    {R"({"policies": {"a": {"retry": null}}})", "1:30 /policies/a/retry is null; must be a whole number"},
    {R"({"policies": {"a": {"timeout": {"limit": "0"}}}})", "1:42 /policies/a/timeout/limit is \"0\"; must be above 0 s"},
    {R"({"policies": {"a": {"timeout": "0"}}})", R"(1:32 /policies/a/timeout is "0"; limit must be above 0 s)"},
    {R"({"policies": {"a": {"rate_limiter": {}}}})",
     "1:37 /policies/a/rate_limiter rate is 0; must be above 0 and at most 1e10 tokens per second (and 2^60 a period)"},
    {R"({"policies": {"a": {"rate_limiter": "10 per s"}}})",
     R"(1:37 /policies/a/rate_limiter is "10 per s"; must be a rate over 0 such as "20/s", "100/m", "5/15s" or "1000/h,burst=50" (burst at least 1))"},
    {R"({"policies": {"a": {"rate_limiter": {"rate": 0.5}}}})",
     "1:37 /policies/a/rate_limiter capacity is 0.5; must be at least 1, for every call takes a token"},
    {R"({"policies": {"a": {"rate_limiter": {"rate": 10, "also": ["100/m", {"rate": -1}]}}}})",
     "1:77 /policies/a/rate_limiter/also/1/rate is -1; must be above 0 and at most 1e10 tokens per second (and 2^60 a period)"},
    {R"({"policies": {"a": {"rate_limiter": {"rate": 9, "also": ["9/s", "9/s", "9/s", "9/s"]}}}})",
     "1:57 /policies/a/rate_limiter/also is a list; must be at most 3"},
    {R"({"policies": {"a": {"circuit_breaker": {"window": {"calls": 0}}}}})",
     "1:61 /policies/a/circuit_breaker/window/calls is 0; must be in [1, 1000000]"},
    {R"({"policies": {"a": {"circuit_breaker": {"window": {"failure_rate": "150%"}}}}})",
     R"(1:68 /policies/a/circuit_breaker/window/failure_rate is "150%"; must be a percentage from "0%" to "100%")"},
    {R"({"policies": {"a": {"circuit_breaker": {"failure_threshold": 0}}}})",
     "1:62 /policies/a/circuit_breaker/failure_threshold is 0; must be at least 1"},
    {R"({"policies": {"a": {"circuit_breaker": {"metrics_only": 1}}}})",
     "1:57 /policies/a/circuit_breaker/metrics_only is 1; must be true or false"},
    {R"({"policies": {"a": {"bulkhead": {"limit": 0}}}})", "1:43 /policies/a/bulkhead/limit is 0; must be at least 1"},
    {R"({"policies": {"a": {"adaptive_rate": {"memory": "0s"}}}})",
     R"(1:49 /policies/a/adaptive_rate/memory is "0s"; must be above 0 s)"},
    {R"({"policies": {"a": {"throttle": {"window": "1ms"}}}})",
     R"(1:44 /policies/a/throttle/window is "1ms"; must be 1 s to 24 h)"},
    {R"({"policies": {"a": {"chaos": {"fault_rate": 2}}}})",
     "1:45 /policies/a/chaos/fault_rate is 2; must be 0 to 1"},
    {R"({"policies": {"a": {"chaos": {"fault_rate": "120%"}}}})",
     R"(1:45 /policies/a/chaos/fault_rate is "120%"; must be a percentage from "0%" to "100%")"},
    {R"({"policies": {"a": {"chaos": {"result_rate": 0.5}}}})",
     R"(1:46 /policies/a/chaos/result_rate is 0.5; must be 0 without a "result")"},
    {R"({"policies": {"a": {"chaos": {"latency_min": "2s"}}}})",
     "1:30 /policies/a/chaos latency_max is 1 s; must be at least latency_min"},
    {R"({"policies": {"a": {"chaos": {"fault": "reset"}}}})",
     R"(1:40 /policies/a/chaos/fault is "reset"; must be the name of a fault of the program's; there are none)"},
    {R"({"policies": {"a": {"chaos": {"seed": -1}}}})",
     "1:39 /policies/a/chaos/seed is -1; must be a whole number of at least 0"},
    // pipelines
    {R"({"pipelines": {"a": {}}})", "1:21 /pipelines/a is {}; must be a list of at most 100 policies, outermost first"},
    {R"({"pipelines": {"a": ["b"]}})",
     R"(1:22 /pipelines/a/0 is "b"; must be the name of a policy in /policies; there are none)"},
    {R"({"pipelines": {"a": ["retry"]}})",
     R"(1:22 /pipelines/a/0 is "retry"; must be the name of a policy in /policies; for one with its defaults write {"retry": {}})"},
    {R"({"pipelines": {"a": ["timeuot 5s"]}})",
     R"(1:22 /pipelines/a/0 is "timeuot 5s"; must begin with a kind of policy; did you mean "timeout"?)"},
    {R"({"pipelines": {"a": ["timeout 5"]}})",
     R"(1:22 /pipelines/a/0 is 5; must be a duration with its unit, such as "250ms" or "1m30s")"},
    {R"({"pipelines": {"a": ["retry 0"]}})", "1:22 /pipelines/a/0 is 0; max_attempts must be at least 1 (the first call counts)"},
    {R"({"policies": {"b": {"retry_budget": {}}}, "pipelines": {"a": ["b"]}})",
     R"(1:63 /pipelines/a/0 a retry_budget is no part of a pipeline; name it in a retry: {"retry": {"budget": "b"}})"},
};

TEST(Configuration, NamesThePlaceOfEachMistake) {
  for (const auto& m : mistakes) EXPECT_THAT(wrong_with(m.text), ElementsAre(m.told)) << m.text;
}

TEST(Configuration, TellsOfAllMistakesAtOnce) {
  EXPECT_THAT(wrong_with(R"({
  "policies": {
    "a": {"circuit_breaker": {"success_threshold": 0, "timeout": "-1s", "window": {"calls": -1, "slow_rate": 2}}},
    "b": {"bulkhed": 5}
  },
  "pipelines": {"p": ["a", "c", {"retry": {"max_attempts": 0, "base_delay": 3}}]}
})"),
              ElementsAre("3:52 /policies/a/circuit_breaker/success_threshold is 0; must be at least 1",
                          "3:66 /policies/a/circuit_breaker/timeout is \"-1s\"; must be a duration such as \"250ms\", "
                          "\"30s\" or \"1m30s\" (units ns, us, ms, s, m, h, d)",
                          "3:93 /policies/a/circuit_breaker/window/calls is -1; must be in [1, 1000000]",
                          "3:110 /policies/a/circuit_breaker/window/slow_rate is 2; must be above 0, at most 1",
                          "4:11 /policies/b/bulkhed no such kind of policy; did you mean \"bulkhead\"?",
                          "6:28 /pipelines/p/1 is \"c\"; must be the name of a policy in /policies; did you mean \"a\"?",
                          "6:60 /pipelines/p/2/retry/max_attempts is 0; must be at least 1 (the first call counts)",
                          "6:77 /pipelines/p/2/retry/base_delay is 3; must be a duration with its unit, such as "
                          "\"250ms\" or \"1m30s\""));
}

TEST(Configuration, SaysFileLineColumnAndPlace) {
  try {
    const configuration config("{\n \"policies\": {\"a\": {\"retry\": 0},\n \"b\": 1}}", {}, "shop.json");
    FAIL();
  } catch (const config_error& e) {
    EXPECT_STREQ(e.what(),
                 "shop.json:2:30: /policies/a/retry is 0; max_attempts must be at least 1 (the first call counts)\n"
                 "shop.json:3:7: /policies/b is 1; must be an object with the kind of policy as its key, such as "
                 "{\"retry\": {\"max_attempts\": 5}}");
  }
}

TEST(Configuration, RefusesWhatIsTooLongOrTooDeep) {
  EXPECT_THAT(wrong_with(std::string(std::size_t{1} << 21, ' ')), ElementsAre("0:0  is longer than 1 MiB"));
  EXPECT_THAT(wrong_with(std::string(100, '[')), ElementsAre(HasSubstr("is not JSON")));
}

TEST(Configuration, RefusesMoreThanItCanReadQuickly) {
  std::string names;
  for (int i = 0; i < 1001; ++i) names += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"retry":3})";
  EXPECT_THAT(wrong_with("{\"policies\":{" + names + "}}"), ElementsAre(HasSubstr("at most 1000 names")));
  std::string row;
  for (int i = 0; i < 101; ++i) row += i > 0 ? ",\"retry 3\"" : "\"retry 3\"";
  EXPECT_THAT(wrong_with("{\"pipelines\":{\"p\":[" + row + "]}}"), ElementsAre(HasSubstr("at most 100 policies")));
}

TEST(Configuration, ReadsFiles) {
  const std::string path = ::testing::TempDir() + "/dspu_configuration_test.json";
  std::remove(path.c_str());
  EXPECT_THROW(configuration::from_file(path), config_error);
  std::ofstream(path) << shop;
  auto config = configuration::from_file(path);
  EXPECT_THAT(config.reload(), IsEmpty());
  std::ofstream(path) << R"({"pipelines": {"catalog": ["retry 2"]}})";
  config.reload();
  EXPECT_THAT(config.pipelines(), ElementsAre("catalog"));
  std::remove(path.c_str());
  EXPECT_THROW(config.reload(), config_error);
  EXPECT_THAT(config.pipelines(), ElementsAre("catalog"));
}

// ---- reading again ----

std::string with_bulkhead(int limit) {
  return R"({"policies": {"db": {"bulkhead": {"limit": )" + std::to_string(limit) +
         R"(, "max_queue": 9}}}, "pipelines": {"p": ["db"]}})";
}
std::string with_limiter(const std::string& rate) {
  return R"({"policies": {"api": {"rate_limiter": ")" + rate + R"("}}, "pipelines": {"p": ["api"]}})";
}

TEST(Configuration, KeepsTheTokensOfALimiterWhoseRateChanges) {
  testing::simulator sim;
  configuration_m config(with_limiter("1/s,burst=10"));
  const auto api = config.policy<limiter_m>("api");
  EXPECT_TRUE(api->try_acquire(8));
  EXPECT_THAT(config.update(with_limiter("2/s,burst=20")),
              ElementsAre(change{"api", change::kind::changed_in_place}));
  EXPECT_EQ(config.policy<limiter_m>("api"), api);
  EXPECT_EQ(api->tokens(), 2);
  EXPECT_EQ(api->rate(), 2);
  EXPECT_EQ(api->capacity(), 20);
}

TEST(Configuration, KeepsTheStateOfABreaker) {
  testing::simulator sim;
  configuration_m config(R"({"policies": {"b": {"circuit_breaker": {"failure_threshold": 3}}}})");
  const auto breaker = config.policy<breaker_m>("b");
  breaker->try_permit().failure();
  breaker->try_permit().failure();
  config.update(R"({"policies": {"b": {"circuit_breaker": {"failure_threshold": 4}}}})");
  EXPECT_EQ(config.policy<breaker_m>("b"), breaker);
  EXPECT_EQ(breaker->failure_count(), 2);
  EXPECT_EQ(breaker->options().failure_threshold, 4);
}

TEST(Configuration, LetsWaitersGoWhenALimitRises) {
  testing::simulator sim;
  configuration_m config(with_bulkhead(1));
  script op;
  op.returns(1, 10s);
  const auto p = config.live("p");
  const auto call = [&]() -> awaitable<void> { static_cast<void>(co_await p.call([&] { return op(); })); };
  test::task one(sim, call());
  test::task other(sim, call());
  sim.at(3s, [&] { config.update(with_bulkhead(2)); });
  sim.run();
  EXPECT_EQ(sim.elapsed(), 13s);
}

TEST(Configuration, EndsCallsUnderTheRulesTheyBeganWith) {
  testing::simulator sim;
  configuration_m config(
      R"({"pipelines": {"p": ["timeout 5s", {"retry": {"max_attempts": 2, "base_delay": "1s", "jitter": "none"}}]}})");
  script op;
  op.fails(3s).returns(1, 500ms).hangs();
  const auto p = config.live("p");
  const auto call = [&]() -> awaitable<void> { static_cast<void>(co_await p.call([&] { return op(); })); };
  test::task t(sim, call());
  sim.at(2s, [&] { config.update(R"({"pipelines": {"p": ["timeout 1s"]}})"); });
  sim.run();
  EXPECT_TRUE(t.succeeded());
  EXPECT_EQ(sim.elapsed(), 4500ms);
  EXPECT_THROW(sim.run(p.call([&] { return op(); })), aio::async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 5500ms);
}

TEST(Configuration, ChangesNothingIfAnythingIsWrong) {
  testing::simulator sim;
  configuration_m config(with_limiter("1/s,burst=10"));
  const auto before = config.to_json();
  const auto described = config.live("p").describe();
  EXPECT_THROW(
      config.update(R"({"policies": {"api": {"rate_limiter": "9/s"}, "b": {"bulkhead": 0}}, "pipelines": {"p": []}})"),
      config_error);
  EXPECT_EQ(config.to_json(), before);
  EXPECT_EQ(config.live("p").describe(), described);
  EXPECT_EQ(config.policy<limiter_m>("api")->rate(), 1);
}

TEST(Configuration, TellsWhatItDid) {
  configuration config(R"({"policies": {"a": {"circuit_breaker": {}}, "b": {"bulkhead": 5}, "c": {"throttle": {}}},
                           "pipelines": {"p": ["retry 3", "timeout 1s", {"circuit_breaker": 4}]}})");
  EXPECT_THAT(
      config.update(R"({"policies": {"a": {"circuit_breaker": {}}, "b": {"rate_limiter": "5/s"}, "d": {"bulkhead": 5}},
                        "pipelines": {"p": [{"circuit_breaker": 5}, "retry 3", "timeout 2s"]}})"),
      UnorderedElementsAre(change{"b", change::kind::replaced}, change{"c", change::kind::removed},
                           change{"d", change::kind::added}, change{"p timeout 1", change::kind::replaced},
                           change{"p circuit_breaker 1", change::kind::changed_in_place}));
}

TEST(Configuration, ServesPipelinesThatAreGone) {
  testing::simulator sim;
  script op;
  op.returns(3);
  std::optional<live_policy> kept;
  {
    configuration_m config(shop);
    kept = config.live("catalog");
    config.update("{}");
    EXPECT_THROW(config.live("catalog"), std::invalid_argument);
  }
  EXPECT_EQ(sim.run(kept->call([&] { return op(); })), 3);
  EXPECT_EQ(kept->facts().size(), 5u);
}

TEST(Configuration, BringsPipelinesBackUnderTheirNames) {
  configuration config(with_bulkhead(3));
  const auto p = config.live("p");
  config.update("{}");
  config.update(with_bulkhead(4));
  EXPECT_EQ(p.describe(), "bulkhead(4 at once, 9 waiting)");
}

// ---- functions ----

TEST(Configuration, GoesByTheProgramsFilters) {
  testing::simulator sim;
  const auto ignore = [](const aio::outcome&) { return aio::verdict::ignored; };
  const auto fail = [](const aio::outcome& o) { return o.failed() ? aio::verdict::failure : aio::verdict::success; };
  const bindings functions{.classifiers = {{"strict", fail}}, .classify = ignore};
  configuration_m config(R"({"pipelines": {
      "lax": [{"retry": {"max_attempts": 3, "base_delay": "1s"}}],
      "strict": [{"retry": {"max_attempts": 3, "base_delay": "1s", "classify": "strict"}}]}})",
                         functions);
  script op;
  op.fails();
  EXPECT_THROW(sim.run(config.live("lax").call([&] { return op(); })), scripted_failure);
  EXPECT_EQ(op.calls(), 1u);
  EXPECT_THROW(sim.run(config.live("strict").call([&] { return op(); })), scripted_failure);
  EXPECT_EQ(op.calls(), 4u);
  EXPECT_THAT(wrong_with(R"({"policies": {"a": {"retry": {"classify": "stric"}}}})", functions),
              ElementsAre(HasSubstr("did you mean \"strict\"?")));
}

TEST(Configuration, InjectsWhatTheProgramNames) {
  testing::simulator sim;
  const bindings functions{
      .faults = {{"reset", [] { return std::range_error("reset"); }}},
      .results = {{"nine", [] { return 9; }}, {"text", [] { return std::string("nine"); }}}};
  configuration_m config(R"({
      "policies": {"storm": {"chaos": {"fault_rate": "100%", "fault": "reset", "seed": 7}}},
      "pipelines": {"down": ["storm"],
                    "plain": ["chaos 100%"],
                    "slow": [{"chaos": {"latency_rate": 1, "latency_min": "2s", "latency_max": "2s"}}],
                    "odd": [{"chaos": {"result_rate": 1, "result": "nine"}}],
                    "none": [{"chaos": {"fault_rate": 1, "shadow": true}}]}})",
                         functions);
  script op;
  op.returns(1);
  const auto run = [&](const char* pipeline) {
    return sim.run(config.live(pipeline).call([&] { return op(); }));
  };
  EXPECT_THROW(run("down"), std::range_error);
  EXPECT_THROW(run("plain"), aio::injected_fault);
  EXPECT_EQ(run("odd"), 9);
  EXPECT_EQ(op.calls(), 0u);
  EXPECT_EQ(run("none"), 1);
  EXPECT_EQ(run("slow"), 1);
  EXPECT_EQ(sim.elapsed(), 2s);

  const auto storm = config.policy<aio::basic_chaos<manual_clock>>("storm");
  EXPECT_EQ(storm->seed(), 7u);
  EXPECT_THAT(config.to_json(), HasSubstr(R"("fault": "reset", "seed": 7)"));
  EXPECT_EQ(basic_configuration<manual_clock>(config.to_json(), functions).to_json(), config.to_json());

  // Rates and what is injected change in place; a result of another type is for other operations.
  const auto with = [](const std::string& options) {
    return R"({"policies": {"storm": {"chaos": )" + options + R"(}}, "pipelines": {"down": ["storm"]}})";
  };
  EXPECT_THAT(config.update(with(R"({"result_rate": 1, "result": "nine"})")),
              ::testing::Contains(change{"storm", change::kind::changed_in_place}));
  EXPECT_EQ(config.policy<aio::basic_chaos<manual_clock>>("storm"), storm);
  EXPECT_EQ(run("down"), 9);
  EXPECT_EQ(storm->injected(), 2);
  config.update(with(R"({"result_rate": 1, "result": "text"})"));
  EXPECT_THROW(run("down"), std::invalid_argument);
  config.update(with("0"));
  EXPECT_EQ(run("down"), 1);
  EXPECT_THAT(
      wrong_with(with(R"({"result_rate": 1, "result": "nin"})"), functions),
      ElementsAre(HasSubstr("must be the name of a result of the program's; did you mean \"nine\"?")));
}

TEST(Configuration, ReplacesABreakerThatGetsAnotherFilter) {
  const bindings functions{.classifiers = {{"f", [](const aio::outcome&) { return aio::verdict::ignored; }}}};
  configuration config(R"({"policies": {"a": {"circuit_breaker": 5}}})", functions);
  EXPECT_THAT(config.update(R"({"policies": {"a": {"circuit_breaker": {"classify": "f"}}}})"),
              ElementsAre(change{"a", change::kind::replaced}));
}

TEST(Configuration, ChargesTheBudgetThatARetryNames) {
  testing::simulator sim;
  configuration_m config(R"({"policies": {"b": {"retry_budget": {"min_retries_per_second": 0, "retries_per_call": 0}}},
                             "pipelines": {"p": [{"retry": {"budget": "b"}}]}})");
  script op;
  op.fails();
  EXPECT_THROW(sim.run(config.live("p").call([&] { return op(); })), scripted_failure);
  EXPECT_EQ(op.calls(), 1u);
}

TEST(Configuration, HedgesAndAdapts) {
  testing::simulator sim;
  configuration_m config(R"({"policies": {"twice": {"hedge": "1s"}, "width": {"adaptive_concurrency": "aimd"}},
                             "pipelines": {"p": ["timeout 30s", "twice", "width"]}})");
  script op;
  op.hangs().returns(5);
  EXPECT_EQ(sim.run(config.live("p").call([&] { return op(); })), 5);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(config.policy<aio::basic_hedge<manual_clock>>("twice")->wins(), 1);
  EXPECT_THAT(config.update(R"({"policies": {"twice": {"hedge": "2s"}, "width": {"adaptive_concurrency": "vegas"}}})"),
              UnorderedElementsAre(change{"twice", change::kind::changed_in_place},
                                   change{"width", change::kind::changed_in_place},
                                   change{"p timeout 1", change::kind::removed}));
  EXPECT_EQ(config.policy<aio::basic_hedge<manual_clock>>("twice")->options().delay, 2s);
}

TEST(Configuration, PacesAdaptively) {
  testing::simulator sim;
  configuration_m config(R"({"policies": {"pace": {"adaptive_rate": {"initial_rate": 1, "max_rate": 1, "max_queue": 5}}},
                             "pipelines": {"p": ["pace", "adaptive_rate 50"]}})");
  EXPECT_EQ(config.live("p").describe(), "adaptive_rate(from 1/s, at most 1/s) | adaptive_rate(from 50/s)");
  script op;
  op.returns(5);
  EXPECT_EQ(sim.run(config.live("p").call([&] { return op(); })), 5);
  EXPECT_EQ(sim.run(config.live("p").call([&] { return op(); })), 5);
  EXPECT_EQ(sim.elapsed(), 1s);
  const configuration_m again(config.to_json());
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_THAT(config.update(R"({"policies": {"pace": {"adaptive_rate": {"max_rate": 2}}}, "pipelines": {"p": ["pace"]}})"),
              ::testing::Contains(change{"pace", change::kind::changed_in_place}));
  EXPECT_EQ(config.policy<aio::basic_adaptive_rate<manual_clock>>("pace")->statistics().admitted, 2u);
}

// ---- writing ----

TEST(Configuration, WritesWhatGivesTheSame) {
  const configuration config(shop);
  const auto text = config.to_json();
  EXPECT_THAT(text, HasSubstr(R"("timeout": "30s")"));
  EXPECT_THAT(text, HasSubstr(R"("budget": "spare")"));
  const configuration again(text);
  EXPECT_EQ(again.to_json(), text);
  EXPECT_EQ(again.live("catalog").describe(), config.live("catalog").describe());
}

TEST(Configuration, IsLinted) {
  const configuration config(R"({"pipelines": {"p": ["timeout 2s", "retry 3", "timeout 5s"]}})");
  EXPECT_THAT(aio::lint(config.live("p")), Not(IsEmpty()));
}

}  // namespace
}  // namespace dspu::config
