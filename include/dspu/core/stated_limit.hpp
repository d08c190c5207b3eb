// What a server says of its limit: not before then, and so many more until then.
//
//   stated_limit stated(1h);                        // what is further off is cut to an hour
//   stated.hear(facts, serial, sent, now);          // with an answer to call number `serial`, of `sent` by
//   now stated.ready_at(now); stated.take(now);
//
// An answer that says how many calls are left, and until when, counts them down: those that were sent after
// the one it answers are taken off. With none left, nothing goes before the reset. Not synchronised: one user
// at a time.
#pragma once

#include "dspu/core/adaptive_rate_options.hpp"
#include "dspu/core/duration.hpp"

#include <algorithm>
#include <cstdint>

namespace dspu::core {

class stated_limit {
 public:
  explicit stated_limit(duration longest) : longest_(longest) {}

  // Returns: whether nothing goes now.
  bool hear(const limit_facts& facts, std::int64_t serial, std::int64_t sent, instant now) {
    if (facts.retry_after) until_ = std::max(until_, add_saturating(now, cut(*facts.retry_after)));
    if (facts.remaining && facts.reset && serial > heard_ && *facts.reset > duration{0}) {
      heard_ = serial;
      left_ = *facts.remaining - (sent - serial);
      reset_ = add_saturating(now, cut(*facts.reset));
      if (left_ <= 0) until_ = std::max(until_, reset_);
      window_ = std::max(window_, *facts.reset);
    }
    return until_ > now;
  }
  void take(instant now) {
    if (now < reset_ && --left_ <= 0) until_ = std::max(until_, reset_);
  }
  void set_longest(duration longest) { longest_ = longest; }

  // Nothing goes before; instant::min() if nothing was said.
  instant until() const { return until_; }
  // The longest time to a reset that was heard of; 0 if none was.
  duration window() const { return window_; }

 private:
  duration cut(duration d) const { return std::clamp(d, duration{0}, longest_); }

  duration longest_;
  instant until_ = instant::min();
  std::int64_t heard_ = 0;
  std::int64_t left_ = 0;
  instant reset_ = instant::min();
  duration window_{0};
};

}  // namespace dspu::core
