// Calls at an even pace: when the next may go.
//
//   call_spacing spacing;                    // no pace: at once
//   spacing.set(50, 20, now);                // 50 a second, and 20 at once after a pause
//   spacing.ready_at(); spacing.take(now);
//
// A leaky bucket (ITU-T I.371, GCRA), which is empty after set(), hold() and drain(): calls come evenly from
// then on, and only a pause in which fewer are made than would be allowed saves up for a burst. Not
// synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <algorithm>
#include <chrono>

namespace dspu::core {

class call_spacing {
 public:
  // Requires: rate > 0, burst >= 1. The call after the last one waits for the new interval.
  void set(double rate, double burst, instant now) {
    const instant last = interval_ > duration{0} ? add_saturating(next_, -interval_) : now;
    interval_ = clamp_nanoseconds(1e9 / rate, duration::max());
    tolerance_ = clamp_nanoseconds((burst - 1) * 1e9 / rate, duration::max());
    next_ = std::max(add_saturating(last, interval_), now);
  }
  void clear() { *this = {}; }
  // The next call goes an interval after t at the earliest.
  void drain(instant t) { next_ = std::max(next_, add_saturating(t, interval_)); }
  void start_at(instant t) { next_ = t; }

  // A call goes. Returns: whether it went as soon as it might.
  bool take(instant now) {
    if (interval_ == duration{0}) return true;
    const bool prompt = now - next_ <= std::max(interval_, lateness);
    next_ = add_saturating(std::max(next_, add_saturating(now, -tolerance_)), interval_);
    return prompt;
  }
  void give_back() { next_ = add_saturating(next_, -interval_); }

  instant ready_at() const { return next_; }
  duration interval() const { return interval_; }

 private:
  static constexpr duration lateness = std::chrono::milliseconds{5};

  duration interval_{0};
  duration tolerance_{0};
  instant next_ = instant::min();
};

}  // namespace dspu::core
