#include "dspu/core/retry_budget.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

constexpr instant start{1'000s};

static_assert(std::is_trivially_copyable_v<retry_budget_machine>, "no memory of its own");

int withdraw_all(retry_budget_machine& b, instant now) {
  int n = 0;
  while (n < 100'000 && b.try_withdraw(now)) ++n;
  return n;
}

void deposit(retry_budget_machine& b, int calls, instant now) {
  for (int i = 0; i < calls; ++i) b.deposit(now);
}

TEST(RetryBudgetPerCall, LetsOneRetryThroughForFiveCalls) {
  retry_budget_machine b({.min_retries_per_second = 0});
  EXPECT_FALSE(b.try_withdraw(start));
  deposit(b, 4, start);
  EXPECT_FALSE(b.try_withdraw(start));
  EXPECT_EQ(b.balance(start), 0.8);
  b.deposit(start);
  EXPECT_TRUE(b.try_withdraw(start));
  EXPECT_FALSE(b.try_withdraw(start));
  EXPECT_EQ(b.balance(start), 0);
}

TEST(RetryBudgetPerCall, HasAReserveForClientsWithFewCalls) {
  retry_budget_machine b({});
  EXPECT_EQ(b.balance(start), 100);
  EXPECT_EQ(withdraw_all(b, start), 100);
  EXPECT_EQ(withdraw_all(b, start + 10s - 1ns), 0) << "the reserve is for a whole ttl";
  EXPECT_EQ(withdraw_all(b, start + 10s), 100);
}

TEST(RetryBudgetPerCall, LetsNoMoreThroughInATtlThanItSays) {
  retry_budget_machine b({.min_retries_per_second = 1});
  deposit(b, 50, start);
  EXPECT_EQ(withdraw_all(b, start), 20);  // 1/s for 10 s, and 50 · 0.2
  deposit(b, 10, start + 9s);
  EXPECT_EQ(withdraw_all(b, start + 9s), 2);
  EXPECT_EQ(withdraw_all(b, start + 10s), 10) << "what happened at the start has expired, on both sides";
}

TEST(RetryBudgetPerCall, ForgetsDepositsThatNobodyUsed) {
  retry_budget_machine b({.min_retries_per_second = 0});
  deposit(b, 1000, start);
  EXPECT_EQ(b.balance(start + 10s - 1ns), 200);
  EXPECT_EQ(b.balance(start + 10s), 0);
}

TEST(RetryBudgetPerCall, OwesNothingOnceAWithdrawalHasOutlivedItsDeposits) {
  retry_budget_machine b({.min_retries_per_second = 0});
  deposit(b, 5, start);
  EXPECT_TRUE(b.try_withdraw(start + 9s));
  EXPECT_EQ(b.balance(start + 10s), 0);
  deposit(b, 5, start + 10s);
  EXPECT_FALSE(b.try_withdraw(start + 10s)) << "the withdrawal still counts in the last 10 s";
  EXPECT_TRUE(b.try_withdraw(start + 19s));
}

TEST(RetryBudgetPerCall, DoesNotDriftInTenMillionCalls) {
  retry_budget_machine b({.min_retries_per_second = 0, .retries_per_call = 0.1});
  for (int i = 0; i < 1'000'000; ++i) {
    deposit(b, 10, start);
    ASSERT_TRUE(b.try_withdraw(start));
  }
  EXPECT_EQ(b.balance(start), 0);
}

TEST(RetryBudgetPerCall, GivesBackARetryThatWasNotMade) {
  retry_budget_machine b({.min_retries_per_second = 0.1});
  EXPECT_TRUE(b.try_withdraw(start));
  EXPECT_FALSE(b.try_withdraw(start + 5s));
  b.refund(start);
  EXPECT_EQ(b.balance(start + 5s), 1);
  EXPECT_EQ(b.balance(start + 10s), 1) << "a refund does not outlive its withdrawal";
}

TEST(RetryBudgetPerCall, MintsNothingByARefundAfterTheTtl) {
  retry_budget_machine b({.min_retries_per_second = 0.1});
  EXPECT_TRUE(b.try_withdraw(start));
  EXPECT_EQ(b.balance(start + 30s), 1);
  b.refund(start);
  EXPECT_EQ(b.balance(start + 30s), 1);
}

TEST(RetryBudgetPerCall, MintsNothingForAClockThatStepsBack) {
  retry_budget_machine b({.min_retries_per_second = 1});
  EXPECT_EQ(withdraw_all(b, start), 10);
  EXPECT_EQ(withdraw_all(b, start - 1h), 0);
  EXPECT_EQ(withdraw_all(b, start + 10s), 10);
}

TEST(RetryBudgetPerCall, TakesNoNoticeOfVerdicts) {
  retry_budget_machine b({});
  for (int i = 0; i < 1000; ++i) b.record(verdict::failure, start);
  EXPECT_EQ(b.balance(start), 100);
}

// gRFC A6, "Throttling Retry Attempts and Hedged RPCs", with its example: maxTokens 10, tokenRatio 0.1.
constexpr retry_budget_options grpc{.kind = retry_budget_kind::token_ratio};

TEST(RetryBudgetTokenRatio, RefusesOnceHalfOfTheTokensAreGone) {
  retry_budget_machine b(grpc);
  for (int failures = 1; failures <= 4; ++failures) {
    b.record(verdict::failure, start);
    EXPECT_TRUE(b.try_withdraw(start)) << failures;
  }
  b.record(verdict::failure, start);
  EXPECT_EQ(b.balance(start), 5);
  EXPECT_FALSE(b.try_withdraw(start)) << "exactly half is not more than half";
  b.record(verdict::success, start);
  EXPECT_EQ(b.balance(start), 5.1);
  EXPECT_TRUE(b.try_withdraw(start));
  EXPECT_EQ(b.balance(start), 5.1) << "the failure is what costs, not the retry";
}

TEST(RetryBudgetTokenRatio, StaysBetweenNothingAndItsMost) {
  retry_budget_machine b(grpc);
  b.record(verdict::success, start);
  EXPECT_EQ(b.balance(start), 10);
  for (int i = 0; i < 20; ++i) b.record(verdict::failure, start);
  EXPECT_EQ(b.balance(start), 0);
  for (int i = 0; i < 50; ++i) b.record(verdict::success, start);
  EXPECT_FALSE(b.try_withdraw(start));
  b.record(verdict::success, start);
  EXPECT_TRUE(b.try_withdraw(start));
}

TEST(RetryBudgetTokenRatio, CountsCancelledAttemptsNeitherWay) {
  retry_budget_machine b(grpc);
  b.record(verdict::failure, start);
  b.record(verdict::ignored, start);
  b.deposit(start);
  b.refund(start);
  EXPECT_EQ(b.balance(start), 9);
}

TEST(RetryBudgetTokenRatio, DoesNotDriftInAMillionAttempts) {
  retry_budget_machine b(grpc);
  for (int i = 0; i < 4; ++i) b.record(verdict::failure, start);
  for (int i = 0; i < 100'000; ++i) {
    b.record(verdict::failure, start);
    ASSERT_FALSE(b.try_withdraw(start));
    for (int k = 0; k < 10; ++k) b.record(verdict::success, start);
  }
  EXPECT_EQ(b.balance(start), 6);
}

TEST(RetryBudgetOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(retry_budget_machine({.ttl = 999ms}), std::invalid_argument);
  EXPECT_THROW(retry_budget_machine({.ttl = 61s}), std::invalid_argument);
  EXPECT_THROW(retry_budget_machine({.min_retries_per_second = -1}), std::invalid_argument);
  EXPECT_THROW(retry_budget_machine({.retries_per_call = std::nan("")}), std::invalid_argument);
  EXPECT_THROW(retry_budget_machine({.max_tokens = 0}), std::invalid_argument);
  try {
    retry_budget_machine({.token_ratio = 0});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "retry_budget.token_ratio is 0; must be above 0 and at most 1e9");
  }
}

}  // namespace
}  // namespace dspu::core
