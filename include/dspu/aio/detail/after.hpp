// The end of a wait, in the clock's own time.
#pragma once

#include "dspu/core/duration.hpp"

namespace dspu::aio::detail {

// d from now; the clock's last instant if that lies beyond.
template <class Clock>
typename Clock::time_point after(core::duration d) {
  const auto now = Clock::now();
  // In the clock's units: what is left of a coarse clock's time does not fit in nanoseconds.
  const auto wait = std::chrono::ceil<typename Clock::duration>(d);
  if (wait >= Clock::time_point::max() - now) return Clock::time_point::max();
  return now + wait;
}

}  // namespace dspu::aio::detail
