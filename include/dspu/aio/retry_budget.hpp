// retry_budget: how many retries a client may make for the calls that it makes, so that retries do not multiply an outage.
//
//   retry_budget budget;                                        // one for all retries towards a service
//   retry again{{.max_attempts = 5, .budget = &budget}};
//
// The arithmetic is core/retry_budget.hpp's: a share of the calls with a floor (Finagle), or tokens that failures use up
// and successes earn (gRPC). A retry is charged before its pause: refused, the call ends at once with the real error. A
// pause that is cancelled gives its retry back. A retry further in, without a budget of its own, is charged to the one
// around it.
//
// Thread-safety: everything may be called from any thread; the lock is held for one decision.
#pragma once

#include "dspu/core/retry_budget.hpp"

#include <cstdint>
#include <mutex>

namespace dspu::aio {

using core::retry_budget_kind;
using core::retry_budget_options;

class retry_budget {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit retry_budget(const retry_budget_options& options = {}) : machine_(options) {}
  retry_budget(const retry_budget&) = delete;
  retry_budget& operator=(const retry_budget&) = delete;

  // A call begins; its first attempt, not its retries.
  void deposit(core::instant now) {
    const std::lock_guard lock(mutex_);
    machine_.deposit(now);
  }
  // An attempt has ended.
  void record(core::verdict v, core::instant now) {
    const std::lock_guard lock(mutex_);
    machine_.record(v, now);
  }
  // May a retry be made? After record(), before the pause.
  bool try_withdraw(core::instant now) { return withdraw(now) != core::withdrawal::refused; }
  // The same, and whether it was only let through because of shadow mode: then there is nothing to refund.
  core::withdrawal withdraw(core::instant now) {
    const std::lock_guard lock(mutex_);
    return machine_.withdraw(now);
  }
  // The retry that was granted then was not made after all.
  void refund(core::instant withdrawn) {
    const std::lock_guard lock(mutex_);
    machine_.refund(withdrawn);
  }
  // Retries that could be made now (per_call), or tokens (token_ratio).
  double balance(core::instant now) {
    const std::lock_guard lock(mutex_);
    return machine_.balance(now);
  }

  // Other options from now on. Tokens used up stay used up; deposits and withdrawals stay, but if ttl is another: then they
  // begin anew, as all does if the kind is another. Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(const retry_budget_options& options) {
    const std::lock_guard lock(mutex_);
    machine_.reconfigure(options);
  }
  retry_budget_options options() const {
    const std::lock_guard lock(mutex_);
    return machine_.options();
  }
  // In shadow mode: retries that it would have refused.
  std::int64_t over_budget() const {
    const std::lock_guard lock(mutex_);
    return machine_.over_budget();
  }

 private:
  mutable std::mutex mutex_;
  core::retry_budget_machine machine_;
};

}  // namespace dspu::aio
