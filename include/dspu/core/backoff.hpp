// How long to wait before the next attempt: a strategy, a cap, and jitter.
//
//   strategy      delay before attempt n + 1, before jitter
//   constant      base
//   linear        base · (1 + multiplier · (n − 1))
//   exponential   base · multiplier^(n − 1)
//
// each cut at max_delay. Jitter then draws from that delay d, with u uniform in [0, 1):
//
//   none          d
//   full          u · d
//   equal         d/2 + u · d/2
//   decorrelated  min(max_delay, base + u · (3 · previous − base)), whatever the strategy
//
// (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.) No delay passes max_delay, at any
// attempt. Pure: the random number and the previous delay are arguments.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>

namespace dspu::core {

enum class backoff_strategy { constant, linear, exponential };
enum class jitter { none, full, equal, decorrelated };

struct backoff_options {
  backoff_strategy strategy = backoff_strategy::exponential;
  duration base_delay = std::chrono::seconds{1};   // >= 0
  duration max_delay = std::chrono::seconds{60};   // >= 0; below base_delay it cuts every delay
  double multiplier = 2.0;                         // >= 0, finite
  core::jitter jitter = core::jitter::full;        // full spreads best: nobody bunches up at the cap

  friend bool operator==(const backoff_options&, const backoff_options&) = default;
};

class backoff {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit backoff(const backoff_options& options);

  // The delay after attempt `attempt` (the first is 1) failed, before jitter.
  duration ceiling(std::uint64_t attempt) const;

  // The same with jitter; `unit` in [0, 1), `previous` the delay before this one (0 for the first).
  duration delay(std::uint64_t attempt, double unit, duration previous) const;

  const backoff_options& options() const { return options_; }
  friend bool operator==(const backoff&, const backoff&) = default;

 private:
  backoff_options options_;
};

}  // namespace dspu::core
