#include "dspu/classify.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace dspu::app;
using namespace std::chrono_literals;
using dspu::core::verdict;

attempt_result answer(unsigned status) {
  attempt_result result;
  result.response.status = status;
  return result;
}

attempt_result failure(transport_failure kind) {
  attempt_result result;
  result.failure = kind;
  result.reached = transport_error(kind, "").progress();
  return result;
}

http_request request(std::string method, header_list headers = {}) {
  http_request made;
  made.method = std::move(method);
  made.headers = std::move(headers);
  return made;
}

TEST(RetryOn, ReadsStatusesAndFailures) {
  const retry_rules rules = parse_retry_on(default_retry_on);
  for (const unsigned status : {408u, 425u, 429u, 500u, 502u, 503u, 504u})
    EXPECT_TRUE(rules.statuses.test(status));
  EXPECT_EQ(rules.statuses.count(), 7u);
  EXPECT_EQ(rules.failures.count(), 7u);
  EXPECT_TRUE(parse_retry_on("proxy").failures.any());
  EXPECT_EQ(parse_retry_on("none").statuses.count(), 0u);
  EXPECT_TRUE(may_retry(parse_retry_on("dns"), request("GET"), failure(transport_failure::dns)));
}

// A name server that was down for 2 s failed every request of the time at once.
TEST(RetryOn, RepeatsAFailureToLookUpThatIsTemporary) {
  const retry_rules usual = parse_retry_on(default_retry_on);
  EXPECT_TRUE(may_retry(usual, request("POST"), failure(transport_failure::dns_temporary)));
  EXPECT_FALSE(may_retry(usual, request("GET"), failure(transport_failure::dns)));
  const retry_rules all = parse_retry_on("dns");
  EXPECT_TRUE(may_retry(all, request("GET"), failure(transport_failure::dns_temporary)));
  EXPECT_TRUE(may_retry(all, request("GET"), failure(transport_failure::dns)));
}

TEST(RetryOn, TakesTimeoutForEveryKindOfTimeout) {
  for (const auto kind : {transport_failure::timeout, transport_failure::connect_timeout,
                          transport_failure::first_byte_timeout, transport_failure::stalled}) {
    EXPECT_TRUE(may_retry(parse_retry_on("timeout"), request("GET"), failure(kind))) << to_string(kind);
    EXPECT_EQ(may_retry(parse_retry_on("stalled"), request("GET"), failure(kind)),
              kind == transport_failure::stalled);
    EXPECT_EQ(load_sign_of(failure(kind)), load_sign::dropped);
    EXPECT_TRUE(is_timeout(final_outcome(failure(kind))));
  }
}

TEST(RetryOn, RefusesWhatItDoesNotKnow) {
  for (const std::string_view text :
       {"", "200", "600", "50x", "503,", ",503", "connect,none", "503 ,504", "-1", "sink"}) {
    EXPECT_THROW(parse_retry_on(text), std::invalid_argument) << text;
  }
}

TEST(MayRetry, RepeatsOnlyWhatIsSafe) {
  retry_rules rules = parse_retry_on(default_retry_on);
  for (const std::string_view method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    EXPECT_TRUE(may_retry(rules, request(std::string(method)), answer(503))) << method;
  }
  for (const std::string_view method : {"POST", "PATCH", "get"}) {
    EXPECT_FALSE(may_retry(rules, request(std::string(method)), answer(503))) << method;
    EXPECT_FALSE(may_retry(rules, request(std::string(method)), failure(transport_failure::timeout)))
        << method;
    // A request that never left cannot have done anything.
    EXPECT_TRUE(may_retry(rules, request(std::string(method)), failure(transport_failure::connect)))
        << method;
  }
  attempt_result unsent = failure(transport_failure::timeout);
  unsent.reached.sent = false;  // as by a connect timeout
  EXPECT_TRUE(may_retry(rules, request("POST"), unsent));
  EXPECT_TRUE(may_retry(rules, request("POST", {{"IDEMPOTENCY-KEY", "7"}}), answer(503)));
  rules.unsafe = true;
  EXPECT_TRUE(may_retry(rules, request("POST"), answer(503)));
  EXPECT_FALSE(may_retry(rules, request("POST"), answer(404)));
}

TEST(MayRetry, MindsTheStatusOfAnAnswerThatCouldNotBeRead) {
  const retry_rules rules = parse_retry_on(default_retry_on);
  attempt_result result = failure(transport_failure::protocol);
  result.reached.status = 200;
  EXPECT_FALSE(may_retry(rules, request("GET"), result));
  result.reached.status = 503;
  EXPECT_TRUE(may_retry(rules, request("GET"), result));
  EXPECT_FALSE(may_retry(rules, request("POST"), result));
}

// Six headers that could not be sent opened the breaker, and the good request to the same server never went.
TEST(OriginVerdict, IsNothingOfWhatWasNeverSent) {
  const attempt_result unsent = failure(transport_failure::unsendable);
  EXPECT_EQ(origin_verdict(unsent), dspu::core::verdict::ignored);
  EXPECT_EQ(load_sign_of(unsent), load_sign::none);
  EXPECT_EQ(final_outcome(unsent), outcome::invalid_input);
  EXPECT_FALSE(
      may_retry(parse_retry_on("connect,reset,timeout,dns,tls,protocol,proxy"), request("GET"), unsent));
}

attempt_result hinted(unsigned status, std::optional<dspu::core::duration> wait,
                      std::optional<rate_quota> quota = std::nullopt) {
  attempt_result result = answer(status);
  result.retry_after = wait;
  result.quota = quota;
  return result;
}

TEST(RefusalOf, KnowsWhatWasNotCarriedOut) {
  EXPECT_EQ(refusal_of(answer(429)), load_refusal::sure);
  EXPECT_EQ(refusal_of(hinted(503, 1s)), load_refusal::sure);
  EXPECT_EQ(refusal_of(hinted(503, 0s)), load_refusal::sure);
  EXPECT_EQ(refusal_of(answer(503)), load_refusal::unsure);
  EXPECT_EQ(refusal_of(answer(403)), load_refusal::none);
  EXPECT_EQ(refusal_of(hinted(403, 60s)), load_refusal::sure);
  EXPECT_EQ(refusal_of(hinted(403, std::nullopt, rate_quota{5000, 0, 30s})), load_refusal::sure);
  EXPECT_EQ(refusal_of(hinted(403, std::nullopt, rate_quota{5000, 1, 30s})), load_refusal::none);
  for (const unsigned status : {200u, 404u, 408u, 500u, 502u, 504u})
    EXPECT_EQ(refusal_of(hinted(status, 1s, rate_quota{5, 0, 1s})), load_refusal::none) << status;
  EXPECT_EQ(refusal_of(failure(transport_failure::reset)), load_refusal::none);
}

TEST(WaitAskedBy, IsTheLongerOfRetryAfterAndTheQuotasRenewal) {
  EXPECT_EQ(wait_asked_by(answer(429)), std::nullopt);
  EXPECT_EQ(wait_asked_by(hinted(429, 2s)), 2s);
  EXPECT_EQ(wait_asked_by(hinted(429, 2s, rate_quota{5, 0, 30s})), 30s);
  EXPECT_EQ(wait_asked_by(hinted(429, 60s, rate_quota{5, 0, 30s})), 60s);
  // What is left says that the refusal has another cause.
  EXPECT_EQ(wait_asked_by(hinted(429, std::nullopt, rate_quota{5, 3, 30s})), std::nullopt);
}

TEST(MayRetry, RepeatsWhatWasRefusedForLoadWhateverItsMethod) {
  retry_rules rules = parse_retry_on(default_retry_on);
  for (const std::string_view method : {"POST", "PATCH", "GET"}) {
    EXPECT_TRUE(may_retry(rules, request(std::string(method)), answer(429))) << method;
    EXPECT_TRUE(may_retry(rules, request(std::string(method)), hinted(503, 1s))) << method;
    EXPECT_TRUE(may_retry(rules, request(std::string(method)), hinted(403, 60s))) << method;
  }
  EXPECT_FALSE(may_retry(parse_retry_on("503"), request("POST"), answer(429)));
  EXPECT_FALSE(may_retry(parse_retry_on("503"), request("GET"), hinted(403, 60s)));
}

TEST(OriginVerdict, TellsTroubleFromAnswers) {
  for (const unsigned status : {200u, 301u, 400u, 401u, 404u, 418u}) {
    EXPECT_EQ(origin_verdict(answer(status)), verdict::success) << status;
  }
  for (const unsigned status : {408u, 500u, 503u, 599u}) {
    EXPECT_EQ(origin_verdict(answer(status)), verdict::failure) << status;
  }
  EXPECT_EQ(origin_verdict(failure(transport_failure::connect)), verdict::failure);
  EXPECT_EQ(origin_verdict(failure(transport_failure::body_too_large)), verdict::ignored);
  EXPECT_EQ(origin_verdict(failure(transport_failure::proxy)), verdict::ignored);
}

TEST(OriginVerdict, DoesNotTakeAFullOriginForAnIllOne) {
  EXPECT_EQ(origin_verdict(answer(429)), verdict::ignored);
  EXPECT_EQ(origin_verdict(hinted(429, 1s)), verdict::ignored);
  EXPECT_EQ(origin_verdict(hinted(503, 1s)), verdict::ignored);
  EXPECT_EQ(origin_verdict(hinted(403, 1s)), verdict::ignored);
}

TEST(FinalOutcome, NamesWhatHappened) {
  EXPECT_EQ(final_outcome(answer(204)), outcome::ok);
  EXPECT_EQ(final_outcome(answer(404)), outcome::http_error);
  EXPECT_EQ(final_outcome(failure(transport_failure::connect)), outcome::connect);
  EXPECT_EQ(final_outcome(failure(transport_failure::reset)), outcome::reset);
  EXPECT_EQ(final_outcome(failure(transport_failure::protocol)), outcome::protocol);
  EXPECT_EQ(final_outcome(failure(transport_failure::proxy)), outcome::proxy);
  EXPECT_EQ(final_outcome(failure(transport_failure::tls)), outcome::tls);
  EXPECT_EQ(final_outcome(failure(transport_failure::dns)), outcome::dns);
  EXPECT_EQ(final_outcome(failure(transport_failure::dns_temporary)), outcome::dns);
  EXPECT_EQ(final_outcome(failure(transport_failure::timeout)), outcome::timeout);
  EXPECT_EQ(final_outcome(failure(transport_failure::body_too_large)), outcome::body_too_large);
}

}  // namespace
