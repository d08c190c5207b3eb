// Decides, after each attempt, whether there is another one and how long to wait for it.
//
// Facts in: the verdict on the attempt, a random number, and what the server asked for, if it did. Out: stop or
// wait. One machine serves one call and is 24 bytes; the plan it follows is shared and never changes.
#pragma once

#include "dspu/core/backoff.hpp"
#include "dspu/core/verdict.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

struct retry_plan {
  // Throws: std::invalid_argument naming the option, its value and its range.
  retry_plan(std::int64_t max_attempts, const backoff_options& backoff, duration max_retry_after);

  std::int64_t max_attempts;  // the first call counts
  core::backoff backoff;
  duration max_retry_after;

  friend bool operator==(const retry_plan&, const retry_plan&) = default;
};

enum class retry_reason {
  succeeded,             // stop: there is a result
  not_retryable,         // stop: the verdict was `ignored`
  attempts_exhausted,    // stop: max_attempts were made
  retry_after_too_long,  // stop: the server asked for more than max_retry_after
  backoff,               // wait: as the backoff says
  server_hint,           // wait: as the server asked (Retry-After), which is longer than the backoff
};

// "attempts_exhausted" and so on.
const char* name_of(retry_reason r);

struct retry_decision {
  bool again;
  retry_reason reason;
  duration delay{0};  // meaningful if `again`

  // The verdict that it was made on.
  constexpr verdict judged() const {
    if (reason == retry_reason::succeeded) return verdict::success;
    return reason == retry_reason::not_retryable ? verdict::ignored : verdict::failure;
  }
};

class retry_machine {
 public:
  explicit retry_machine(const retry_plan& plan) : plan_(&plan) {}

  // The attempt being made, from 1.
  std::int64_t attempt() const { return attempt_; }

  // Call once after each attempt. `unit` is uniform in [0, 1); `retry_after` is how long the server asked us to
  // wait. A longer wait than the backoff replaces it, whatever max_delay says. A shorter one changes nothing:
  // servers round to whole seconds and send 0, and a retry at once is what the backoff exists to prevent.
  retry_decision next(verdict v, double unit, std::optional<duration> retry_after = std::nullopt);

 private:
  const retry_plan* plan_;
  std::int64_t attempt_ = 1;
  duration previous_delay_{0};
};

}  // namespace dspu::core
