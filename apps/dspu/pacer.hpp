// One rate limit as the scheduler asks it: may the next attempt go now, and if not, when?
#pragma once

#include "dspu/core/token_bucket.hpp"
#include "dspu/parse.hpp"

#include <algorithm>
#include <chrono>

#include <optional>

namespace dspu::app {

// The attempts that may go at once. If the rate does not say, what it makes in 50 ms, at least 1: a larger burst
// is more than many servers admit, and a smaller one would wake for each attempt of a high rate.
inline double burst_of(const rate_spec& rate) {
  const double per_50_ms = rate.amount * (std::chrono::duration<double>(std::chrono::milliseconds(50)) /
                                          std::chrono::duration<double>(rate.per));
  return rate.burst.value_or(std::max(1.0, per_50_ms));
}

class pacer {
 public:
  // Without a rate everything may go at once.
  // Throws: std::invalid_argument for a rate that no token bucket can keep.
  pacer(const std::optional<rate_spec>& rate, core::instant now);

  // Whether an attempt may go. If not, somebody waits from now on: see due() and rest().
  bool ready(core::instant now);
  // The instant at which ready() will say yes. Requires: it has just said no.
  core::instant due() const { return due_; }
  // Requires: ready(now).
  void take(core::instant now);
  // As if nothing had ever been taken.
  bool full(core::instant now) const {
    return !bucket_ || bucket_->available(level_, now) >= bucket_->capacity();
  }
  // Nobody waits any more for this limit.
  void rest() { somebody_waits_ = false; }

 private:
  std::optional<core::token_bucket::level> next_level(core::instant now) const;

  std::optional<core::token_bucket> bucket_;
  core::token_bucket::units one_ = 0;
  core::token_bucket::units slack_ = 0;
  core::token_bucket::level level_ = 0;
  bool somebody_waits_ = false;
  core::instant due_{};
};

}  // namespace dspu::app
