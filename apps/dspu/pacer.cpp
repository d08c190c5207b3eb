#include "dspu/pacer.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

// Timers fire late, and the tokens made meanwhile belong to those who wait: else every late wake-up would
// cost rate. What is later than this is a process that was stopped; it must not catch up in one burst.
constexpr std::chrono::duration<double> longest_lateness = std::chrono::milliseconds(100);

}  // namespace

pacer::pacer(const std::optional<rate_spec>& rate, core::instant now) {
  if (!rate) return;
  bucket_.emplace(
      core::token_bucket_options{.rate = rate->amount, .per = rate->per, .capacity = burst_of(*rate)}, now);
  one_ = bucket_->units_of(1);
  const double made_meanwhile = rate->amount * (longest_lateness / std::chrono::duration<double>(rate->per));
  slack_ = bucket_->units_of(std::max(made_meanwhile, 1.0));
}

std::optional<core::token_bucket::level> pacer::next_level(core::instant now) const {
  return somebody_waits_ ? bucket_->take_queued(level_, one_, now, slack_) : bucket_->take(level_, one_, now);
}

bool pacer::ready(core::instant now) {
  if (!bucket_ || next_level(now)) return true;
  somebody_waits_ = true;
  due_ = bucket_->ready_at(level_, one_);
  return false;
}

void pacer::take(core::instant now) {
  if (!bucket_) return;
  level_ = next_level(now).value_or(level_ + one_);
}

}  // namespace dspu::app
