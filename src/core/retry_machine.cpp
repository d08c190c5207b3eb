#include "dspu/core/retry_machine.hpp"

#include "dspu/core/check.hpp"

namespace dspu::core {

retry_plan::retry_plan(std::int64_t attempts, const backoff_options& backoff_opts, duration retry_after_limit)
    : max_attempts(attempts), backoff(backoff_opts), max_retry_after(retry_after_limit) {
  require(attempts >= 1, "retry.max_attempts", attempts, "at least 1 (the first call counts)");
  require(retry_after_limit >= duration{0}, "retry.max_retry_after", retry_after_limit, "at least 0 s");
}

retry_decision retry_machine::next(verdict v, double unit, std::optional<duration> retry_after) {
  if (v == verdict::success) return {false, retry_reason::succeeded};
  if (v == verdict::ignored) return {false, retry_reason::not_retryable};
  if (attempt_ >= plan_->max_attempts) return {false, retry_reason::attempts_exhausted};

  if (retry_after && *retry_after > plan_->max_retry_after) return {false, retry_reason::retry_after_too_long};

  previous_delay_ = plan_->backoff.delay(static_cast<std::uint64_t>(attempt_), unit, previous_delay_);
  ++attempt_;
  const bool hint_is_longer = retry_after && *retry_after > previous_delay_;
  if (hint_is_longer) return {true, retry_reason::server_hint, *retry_after};
  return {true, retry_reason::backoff, previous_delay_};
}

const char* name_of(retry_reason r) {
  switch (r) {
    case retry_reason::succeeded: return "succeeded";
    case retry_reason::not_retryable: return "not_retryable";
    case retry_reason::attempts_exhausted: return "attempts_exhausted";
    case retry_reason::retry_after_too_long: return "retry_after_too_long";
    case retry_reason::backoff: return "backoff";
    case retry_reason::server_hint: return "server_hint";
  }
  return "unknown";
}

}  // namespace dspu::core
