#include "dspu/aio/clocks.hpp"

#include "dspu/aio/impl/rate_limiter.ipp"

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dspu::aio {

namespace detail {

namespace {

constexpr std::int64_t second = 1'000'000'000;
// The slope is measured over at least this; the reading of two clocks is good to some 30 ns, so to 3 in a million.
constexpr std::int64_t shortest_measurement = second / 100;
constexpr std::int64_t line_length = second;
// A line that is ahead of the reference by more is not to be trusted; one that is behind jumps.
constexpr std::int64_t tolerance = second / 1'000;

bool runs_at_one_rate() {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1U << 8)) != 0;
#else
  return false;
#endif
}

bool file_has_word(const char* path, const std::string& wanted) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    if (word == wanted) return true;
  }
  return false;
}

// The kernel withdraws the counter as a source when it finds it out of step. A guest of KVM may not offer it at all, but
// says so if it need not be watched.
bool kernel_trusts_it() {
  return file_has_word("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc") ||
         file_has_word("/proc/cpuinfo", "tsc_reliable");
}

std::int64_t slope_of(std::int64_t ns, std::uint64_t ticks) {
  return static_cast<std::int64_t>((static_cast<__int128>(ns) << 32) / static_cast<__int128>(ticks));
}

}  // namespace

bool tsc_is_trusted() { return runs_at_one_rate() && kernel_trusts_it(); }

void tsc_line::draw(std::uint64_t from, std::int64_t length, std::int64_t value, std::int64_t slope) {
  sequence_.fetch_add(1, std::memory_order_acq_rel);
  from_.store(from, std::memory_order_release);
  length_.store(length, std::memory_order_release);
  value_.store(value, std::memory_order_release);
  slope_.store(slope, std::memory_order_release);
  sequence_.fetch_add(1, std::memory_order_release);
}

std::int64_t tsc_line::fall_back(std::int64_t reference) {
  usable_.store(false, std::memory_order_relaxed);
  draw(0, 0, 0, 0);
  return floor_ = std::max(floor_, reference);
}

// The reference was read after the tick, so that a line begins a trifle ahead of it and nobody sees time go back.
std::int64_t tsc_line::renewed(std::uint64_t tick, std::int64_t reference, bool close) {
  const std::lock_guard lock(mutex_);
  if (!usable_.load(std::memory_order_relaxed)) return floor_ = std::max(floor_, reference);
  const auto from = from_.load(std::memory_order_relaxed);
  const auto length = length_.load(std::memory_order_relaxed);
  const auto slope = slope_.load(std::memory_order_relaxed);
  const auto since = static_cast<std::int64_t>(tick - from);
  // Read long before the line began: by somebody who had to wait for the lock, or the counter was set back, and we may be,
  // by what we were ahead.
  if (length > 0 && since <= -early && reference >= last_reference_) return fall_back(reference);
  if (length > 0 && since < length) {  // somebody else has drawn a new one
    return value_.load(std::memory_order_relaxed) + scaled(std::max<std::int64_t>(since, 0), slope);
  }
  if (length > 0) floor_ = std::max(floor_, value_.load(std::memory_order_relaxed) + scaled(length, slope));
  if (!close) return floor_ = std::max(floor_, reference);
  if (!begun_) {
    begun_ = true;
    last_tick_ = tick;
    last_reference_ = reference;
  }
  const auto elapsed = reference - last_reference_;
  if (elapsed < shortest_measurement) return floor_ = std::max(floor_, reference);
  const auto ticks = tick - std::exchange(last_tick_, tick);
  last_reference_ = reference;
  if (static_cast<std::int64_t>(ticks) <= 0) return fall_back(reference);

  const auto measured = slope_of(elapsed, ticks);
  if (rate_ == 0) rate_ = measured;
  // A counter that was stopped, set, or changed its rate.
  if (measured <= 0 || std::abs(measured - rate_) > rate_ / 1000) return fall_back(reference);
  const auto ahead = floor_ - reference;
  if (ahead > tolerance) return fall_back(reference);
  const auto begin = std::max(floor_, reference);
  // Flatter by what it is ahead, so that it meets the reference at its end.
  const auto slack = static_cast<__int128>(measured) * std::max<std::int64_t>(ahead, 0) / line_length;
  const auto flattened = measured - static_cast<std::int64_t>(slack);
  draw(tick, static_cast<std::int64_t>((static_cast<__int128>(line_length) << 32) / measured), begin, flattened);
  return begin;
}

template std::shared_ptr<limiter_state> make_limiter_state<tsc_clock>(const rate_limiter_options&);
template std::shared_ptr<limiter_state> make_limiter_state<coarse_clock>(const rate_limiter_options&);

}  // namespace detail

detail::tsc_line tsc_clock::line_{detail::tsc_is_trusted()};

}  // namespace dspu::aio
