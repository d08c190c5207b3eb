// The end of a wait, in the clock's own time.
#pragma once

#include "dspu/core/duration.hpp"

namespace dspu::aio::detail {

// d from now; the clock's last instant if that lies beyond.
template <class Clock>
typename Clock::time_point after(core::duration d) {
  const auto now = Clock::now();
  const auto room = std::chrono::duration_cast<core::duration>(Clock::time_point::max() - now);
  if (d >= room) return Clock::time_point::max();
  return now + std::chrono::ceil<typename Clock::duration>(d);
}

}  // namespace dspu::aio::detail
