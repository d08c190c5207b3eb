#include "dspu/transfer_pace.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

using instant = transfer_pace::instant;

// "none" must not overflow the clock.
instant after(instant from, transfer_limits::duration d) {
  return d < instant::max() - from ? from + d : instant::max();
}

}  // namespace

transfer_pace::transfer_pace(const transfer_limits& limits, instant answer_by, instant now)
    : limits_(limits), moved_(now), answer_by_(answer_by) {}

void transfer_pace::sent(instant now) {
  if (phase_ != phase::sending) return;
  phase_ = phase::waiting;
  moved_ = now;
  answer_by_ = std::min(answer_by_, after(now, limits_.first_byte));
}

void transfer_pace::read(std::uint64_t bytes, bool head, instant now) {
  moved_ = now;
  window_bytes_ += bytes;
  if (!head || phase_ == phase::receiving) return;
  phase_ = phase::receiving;
  begin_window(now);
}

void transfer_pace::begin_window(instant now) {
  window_bytes_ = 0;
  window_end_ = limits_.bytes_per_second > 0 ? after(now, limits_.measured_over) : instant::max();
}

instant transfer_pace::due() const {
  const instant stalled = after(moved_, limits_.stall);
  switch (phase_) {
    case phase::sending:
      return std::min(answer_by_, stalled);
    case phase::waiting:
      return answer_by_;
    case phase::receiving:
      return std::min(stalled, window_end_);
  }
  return instant::max();
}

std::optional<transfer_pace::fault> transfer_pace::verdict(instant now) {
  if (phase_ != phase::receiving && now >= answer_by_) return fault::first_byte;
  if (phase_ != phase::waiting && now >= after(moved_, limits_.stall)) return fault::stall;
  if (now < window_end_) return std::nullopt;
  const double seconds = std::chrono::duration<double>(limits_.measured_over).count();
  if (static_cast<double>(window_bytes_) < static_cast<double>(limits_.bytes_per_second) * seconds)
    return fault::slow;
  begin_window(now);
  return std::nullopt;
}

}  // namespace dspu::app
