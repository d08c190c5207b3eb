// One rate limit as the scheduler asks it: may the next attempt go now, and if not, when?
#pragma once

#include "dspu/core/token_bucket.hpp"
#include "dspu/parse.hpp"

#include <optional>

namespace dspu::app {

class pacer {
 public:
  // Without a rate everything may go at once. The burst is the rate's amount if none is given, at least 1.
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
