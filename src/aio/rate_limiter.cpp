#include "dspu/aio/rate_limiter.hpp"

#include "dspu/aio/impl/rate_limiter.ipp"
#include "dspu/core/check.hpp"

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

std::size_t limiter_state::waiters() {
  const std::lock_guard lock(mutex_);
  return size();
}

// Takes n if there are enough by now; else marks the line as closed, so that from here on nobody takes any but the
// head of the line. The lock is held and nobody waits.
bool limiter_state::take_or_close_line(core::token_bucket::units n, core::instant now) {
  auto word = word_.load(std::memory_order_relaxed);
  for (;;) {
    const auto level = bucket.take(word >> 1, n, now);
    const auto next = level ? *level << 1 : word | 1;
    if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return level.has_value();
    }
  }
}

template std::shared_ptr<limiter_state> make_limiter_state<std::chrono::steady_clock>(const rate_limiter_options&);

}  // namespace dspu::aio::detail
