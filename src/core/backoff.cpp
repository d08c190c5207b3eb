#include "dspu/core/backoff.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>

namespace dspu::core {

backoff::backoff(const backoff_options& options) : options_(options) {
  require(options.base_delay >= duration{0}, "backoff.base_delay", options.base_delay, "at least 0 s");
  require(options.max_delay >= duration{0}, "backoff.max_delay", options.max_delay, "at least 0 s");
  require(std::isfinite(options.multiplier) && options.multiplier >= 0, "backoff.multiplier", options.multiplier,
          "a finite number of at least 0");
}

duration backoff::ceiling(std::uint64_t attempt) const {
  const double base = static_cast<double>(options_.base_delay.count());
  if (base == 0) return duration{0};
  const double steps = static_cast<double>(attempt > 0 ? attempt - 1 : 0);
  switch (options_.strategy) {
    case backoff_strategy::constant: return std::min(options_.base_delay, options_.max_delay);
    case backoff_strategy::linear:
      return clamp_nanoseconds(base * (1 + options_.multiplier * steps), options_.max_delay);
    case backoff_strategy::exponential:
      return clamp_nanoseconds(base * std::pow(options_.multiplier, steps), options_.max_delay);
  }
  return options_.max_delay;
}

duration backoff::delay(std::uint64_t attempt, double unit, duration previous) const {
  const duration cap = ceiling(attempt);
  const double width = static_cast<double>(cap.count());
  switch (options_.jitter) {
    case jitter::none: return cap;
    case jitter::full: return clamp_nanoseconds(unit * width, cap);
    case jitter::equal: return clamp_nanoseconds(width / 2 + unit * width / 2, cap);
    case jitter::decorrelated: {
      const double base = static_cast<double>(options_.base_delay.count());
      const double last = std::max(base, static_cast<double>(previous.count()));
      return clamp_nanoseconds(base + unit * (3 * last - base), options_.max_delay);
    }
  }
  return cap;
}

}  // namespace dspu::core
