#include "dspu/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using dspu::core::circuit_state;
using ::testing::HasSubstr;
using ::testing::Not;

result_record record(outcome how, std::vector<unsigned> statuses) {
  result_record made;
  made.outcome = how;
  made.bytes = 100;
  made.total = 2s;
  made.queued = 1s;
  for (const unsigned status : statuses) made.attempts.push_back({.status = status, .duration = 10ms});
  return made;
}

summary example() {
  summary made;
  made.add(record(outcome::ok, {503, 200}));
  made.add(record(outcome::ok, {302, 200}));
  made.add(record(outcome::http_error, {404}));
  made.add(record(outcome::invalid_input, {}));
  made.add(record(outcome::cancelled, {0}));
  made.add_transition({circuit_state::closed, circuit_state::open, dspu::core::circuit_cause::failures});
  made.add_transition(
      {circuit_state::open, circuit_state::half_open, dspu::core::circuit_cause::timeout_over});
  made.add_transition(
      {circuit_state::half_open, circuit_state::open, dspu::core::circuit_cause::probe_failed});
  made.add_transition(
      {circuit_state::open, circuit_state::half_open, dspu::core::circuit_cause::timeout_over});
  made.add_transition(
      {circuit_state::half_open, circuit_state::closed, dspu::core::circuit_cause::probes_succeeded});
  made.add_hold();
  return made;
}

run_facts facts() {
  run_facts made;
  made.elapsed = 4s;
  made.waits[wait_reason::rate_limit] = 3s;
  made.resumed = 7;
  made.unsent = 9;
  made.exit_status = 1;
  return made;
}

TEST(Summary, CountsWhatIsFinished) {
  EXPECT_EQ(example().finished(), 4u);
  EXPECT_EQ(example().failed(), 2u);
}

TEST(Summary, TellsPeople) {
  const std::string text = example().to_text(facts());
  EXPECT_THAT(text, HasSubstr("5 requests in 4.0s (1.0/s): 2 ok, 2 failed, 1 cancelled\n"));
  EXPECT_THAT(text, HasSubstr("7 were finished before"));
  EXPECT_THAT(text, HasSubstr("ok 2, http_error 1, cancelled 1, invalid_input 1"));
  EXPECT_THAT(text, HasSubstr("6, 1 of them retries"));
  EXPECT_THAT(text, HasSubstr("rate limit 3.0s"));
  EXPECT_THAT(text, Not(HasSubstr("backoff")));
  EXPECT_THAT(text, HasSubstr("opened once, closed once"));
  EXPECT_THAT(text, HasSubstr("not sent     9"));
}

TEST(Summary, TellsPrograms) {
  const auto value = boost::json::parse(example().to_json(facts()));
  EXPECT_EQ(value.at("requests"), 4);
  EXPECT_EQ(value.at("outcomes").at("http_error"), 1);
  EXPECT_EQ(value.at("statuses").at("200"), 2);
  EXPECT_EQ(value.at("retries"), 1);
  EXPECT_EQ(value.at("waiting_ms").at("rate_limit"), 3000);
  EXPECT_EQ(value.at("request_latency").at("count"), 4);
  EXPECT_EQ(value.at("breaker_opened"), 1);
  EXPECT_EQ(value.at("exit_status"), 1);
}

TEST(Summary, TellsOfHedgesAndOfRetriesThatTheBudgetRefused) {
  summary made;
  result_record hedged = record(outcome::ok, {200});
  hedged.attempts[0].hedges = 2;
  hedged.attempts[0].hedge_won = true;
  made.add(hedged);
  result_record refused = record(outcome::http_error, {503});
  refused.retry_refused = true;
  made.add(refused);
  EXPECT_THAT(made.to_text(facts()), HasSubstr("hedges       2 sent, 1 won"));
  EXPECT_THAT(made.to_text(facts()), HasSubstr("retry budget refused 1 retries"));
  const auto value = boost::json::parse(made.to_json(facts()));
  EXPECT_EQ(value.at("hedges"), 2);
  EXPECT_EQ(value.at("hedges_won"), 1);
  EXPECT_EQ(value.at("retries_refused"), 1);
  EXPECT_THAT(example().to_text(facts()), Not(HasSubstr("hedges")));
}

TEST(Summary, SaysLittleOfAnEmptyRun) {
  const std::string text = summary().to_text({});
  EXPECT_THAT(text, HasSubstr("0 requests in 0s"));
  EXPECT_THAT(text, Not(HasSubstr("p50")));
}

}  // namespace
