// How many retries a client may make for the calls that it makes, so that retries cannot multiply an outage.
//
//   retry_budget_machine budget({.retries_per_call = 0.2});
//   budget.deposit(now);                         // a call begins: its first attempt
//   budget.record(verdict::failure, now);        // an attempt has ended
//   if (budget.try_withdraw(now)) …              // before the backoff: wait and retry, or give up at once
//
// Ask before the backoff: whoever waits first and is refused then has waited in vain, and hides the real
// error.
//
//   kind         earns                          costs                     a retry is let through while
//   per_call     retries_per_call for a call,   1 for a retry             balance >= 1
//                for ttl; min_retries_per_second
//                for nothing
//   token_ratio  token_ratio for a success,     1 for a failed attempt    tokens > max_tokens / 2
//                up to max_tokens
//
// per_call is Finagle's RetryBudget (com.twitter.finagle.service.RetryBudget; tower::retry::budget::TpsBudget
// is the same): within the last ttl, retries <= min_retries_per_second · ttl + retries_per_call · calls.
// Withdrawals expire as deposits do. token_ratio is gRPC's retry throttling (gRFC A6). It adapts to a server,
// not to a rate of calls.
//
// Counted in whole millionths: nothing drifts. Memory is fixed. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/sliding_sum.hpp"
#include "dspu/core/verdict.hpp"

#include <cstdint>

namespace dspu::core {

enum class retry_budget_kind { per_call, token_ratio };

struct retry_budget_options {
  retry_budget_kind kind = retry_budget_kind::per_call;

  // per_call
  duration ttl = std::chrono::seconds{10};  // 1 s to 60 s: how long a deposit or a retry counts, in ten steps
  double min_retries_per_second = 10;       // 0 to 1e6: for clients with few calls
  double retries_per_call = 0.2;            // 0 to 1000: 0.2 lets one retry through for five calls

  // token_ratio
  double max_tokens = 10;    // above 0, at most 1e9: more bear a longer run of failures
  double token_ratio = 0.1;  // above 0, at most 1e9: successes that make up for a failure are 1 / token_ratio

  bool shadow = false;  // lets all retries through, and counts those that it would have refused
};

enum class withdrawal { granted, refused, shadowed };  // shadowed: let through, and nothing was withdrawn

class retry_budget_machine {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit retry_budget_machine(const retry_budget_options& options);

  // A call begins. Retries of it are not deposited.
  void deposit(instant now);

  // An attempt has ended, first or not. What is `ignored` (cancelled, or no error of the server's) counts
  // neither way.
  void record(verdict v, instant now);

  // May a retry be made? Ask after record() of the attempt that failed, and before the backoff.
  withdrawal withdraw(instant now);
  bool try_withdraw(instant now) { return withdraw(now) != withdrawal::refused; }

  // The retry granted at `withdrawn` was not made after all: cancelled while it waited.
  void refund(instant withdrawn);

  // Retries that could be made now (per_call), or tokens (token_ratio).
  double balance(instant now);

  // Other options from now on. Tokens used up stay used up; deposits and withdrawals stay, but if ttl is another: then
  // they begin anew, as all does if the kind is another.
  // Throws: std::invalid_argument as the constructor does; nothing has changed then.
  void reconfigure(const retry_budget_options& options);

  // In shadow mode: retries that it would have refused.
  std::int64_t over_budget() const { return over_budget_; }

  const retry_budget_options& options() const { return options_; }

 private:
  using millionths = std::int64_t;

  bool affords(instant now);

  retry_budget_options options_;
  millionths earned_;    // by a call, or by a success
  millionths most_;      // the reserve, or max_tokens
  std::int64_t over_budget_ = 0;
  millionths tokens_;    // of token_ratio, in [0, most_]
  sliding_sum<10> net_;  // of per_call: deposits − withdrawals of the last ttl
};

}  // namespace dspu::core
