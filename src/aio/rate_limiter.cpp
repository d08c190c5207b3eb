#include "dspu/aio/rate_limiter.hpp"

#include "dspu/aio/impl/rate_limiter.ipp"
#include "dspu/core/check.hpp"

#include <algorithm>
#include <string>

namespace dspu::aio::detail {

limiter_state::limiter_state(const rate_limiter_options& options, core::instant start)
    : bucket({.rate = options.rate, .per = options.per, .capacity = options.capacity}, start),
      max_waiters(options.max_waiters) {
  core::require(options.wake_interval >= duration{0}, "rate_limiter.wake_interval", options.wake_interval,
                "at least 0 s");
}

void limiter_state::reject_tokens(double tokens) const {
  const std::string range = "above 0 and at most the capacity, " + std::to_string(bucket.capacity());
  core::reject("rate_limiter.acquire's n", tokens, range);
}

std::optional<wait_refusal> limiter_state::would_exceed(core::token_bucket::units n, core::instant deadline,
                                                        core::instant now) const {
  if (deadline == core::instant::max()) return std::nullopt;
  const auto ready = std::max(bucket.ready_at(word_.load(std::memory_order_acquire) >> 1, amount() + n), now);
  if (ready <= deadline) return std::nullopt;
  const auto needed = ready == core::instant::max() ? duration::max() : ready - now;
  return wait_refusal{needed, std::max(deadline, now) - now};
}

std::optional<wait_refusal> limiter_state::refusal(core::token_bucket::units n, core::instant deadline,
                                                   core::instant now) {
  const std::lock_guard lock(mutex_);
  return would_exceed(n, deadline, now);
}

std::size_t limiter_state::waiters() {
  const std::lock_guard lock(mutex_);
  return size();
}

template std::shared_ptr<limiter_state> make_limiter_state<std::chrono::steady_clock>(const rate_limiter_options&);

}  // namespace dspu::aio::detail
