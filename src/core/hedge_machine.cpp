#include "dspu/core/hedge_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>

namespace dspu::core {

hedge_plan::hedge_plan(const hedge_options& options) : options_(options) {
  require(options.max_hedges >= 0 && options.max_hedges <= 100, "hedge.max_hedges", options.max_hedges,
          "0 to 100");
  require(options.delay >= duration{0}, "hedge.delay", options.delay, "at least 0 s");
  require(options.min_delay >= duration{0}, "hedge.min_delay", options.min_delay, "at least 0 s");
  const double q = options.quantile.value_or(0);
  require(q >= 0 && q <= 1, "hedge.quantile", q, "0 to 1");
}

duration hedge_plan::delay(std::optional<duration> seen) const {
  if (!options_.quantile || !seen) return options_.delay;
  return std::max(options_.min_delay, *seen);
}

hedge_decision hedge_machine::next(instant now) const {
  if (winner_) return {hedge_action::won, *winner_, now};
  if (started_ < most_) {
    if (started_ == 0 || owed_ > 0 || now >= due_) return {hedge_action::start, started_, now};
    return {hedge_action::wait, 0, due_};
  }
  if (finished_ == started_) return {hedge_action::failed, 0, now};
  return {hedge_action::wait, 0, instant::max()};
}

void hedge_machine::started(instant now) {
  ++started_;
  if (owed_ > 0) --owed_;
  due_ = delay_ == duration::max() ? instant::max() : add_saturating(now, delay_);
}

void hedge_machine::finished(std::int64_t attempt, bool acceptable) {
  ++finished_;
  if (winner_) return;
  if (acceptable) {
    winner_ = attempt;
  } else {
    ++owed_;
  }
}

}  // namespace dspu::core
