// Cheaper clocks, for policies that read the time on every call.
//
//   basic_rate_limiter<tsc_clock> limiter{{.rate = 1e6}};
//
// Reading steady_clock is four fifths of what an uncontended try_acquire costs. Both clocks keep steady_clock's time:
//
//   tsc_clock      reads the processor's time-stamp counter, for a third of the cost, and is compared with steady_clock
//                  once a second; within 1 ms of it. Where the counter is not constant, or the kernel does not trust
//                  it, or it disagrees with steady_clock, it reads that instead; source() says which.
//   coarse_clock   reads the kernel's clock of the last tick, for a fifth of the cost; late by up to one tick, 1 to 10 ms.
//                  A bucket smaller than what flows in a tick wastes what does not fit into it.
//
// Thread-safety: everything may be called from any thread. Neither clock goes back.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace dspu::aio {

namespace detail {

inline std::uint64_t read_tsc() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return 0;
#endif
}

// Whether the counter runs at one rate, in step on all processors, as far as the processor and the kernel know.
bool tsc_is_trusted();

// Time as a straight line in a counter, drawn anew about once a second so that it keeps to a reference. The counter and
// the reference are arguments, which is how it is tested.
class tsc_line {
 public:
  // `trusted`: whether the counter is used at all.
  explicit tsc_line(bool trusted) : usable_(trusted) {}

  // The time now, in nanoseconds. `counter()` is read once as a rule, `reference()` rarely.
  template <class Counter, class Reference>
  std::int64_t now(Counter counter, Reference reference) {
    auto tick = counter();
    const auto before = sequence_.load(std::memory_order_acquire);
    const auto from = from_.load(std::memory_order_acquire);
    const auto length = length_.load(std::memory_order_acquire);
    const auto value = value_.load(std::memory_order_acquire);
    const auto slope = slope_.load(std::memory_order_acquire);
    const bool whole = (before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before;
    const auto since = static_cast<std::int64_t>(tick - from);
    if (whole && since >= 0 && since < length) return value + scaled(since, slope);
    if (whole && since < 0 && since > -early) return value;

    // A pair of readings between which this thread was interrupted is no good.
    auto read = reference();
    bool close = counter() - tick < widest_pair;
    for (int tries = 0; !close && tries < 3; ++tries) {
      tick = counter();
      read = reference();
      close = counter() - tick < widest_pair;
    }
    return renewed(tick, read, close);
  }

  bool uses_counter() const { return usable_.load(std::memory_order_relaxed); }

 private:
  // A tick before the line's beginning by less than this, a millisecond or so, was read while that was drawn.
  static constexpr std::int64_t early = 1 << 22;

  static constexpr std::uint64_t widest_pair = 1 << 14;  // ticks, some 5 µs

  // Of at most a line's ticks, so that 64 bits hold the product: a second's nanoseconds, times 2^32.
  static std::int64_t scaled(std::int64_t ticks, std::int64_t slope) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(ticks) * static_cast<std::uint64_t>(slope) >> 32);
  }
  std::int64_t renewed(std::uint64_t tick, std::int64_t reference, bool close);
  void draw(std::uint64_t from, std::int64_t length, std::int64_t value, std::int64_t slope);
  std::int64_t fall_back(std::int64_t reference);

  // The line, behind a sequence lock: value + (tick - from) · slope / 2^32, for `length` ticks.
  std::atomic<std::uint32_t> sequence_{0};
  std::atomic<std::uint64_t> from_{0};
  std::atomic<std::int64_t> length_{0};
  std::atomic<std::int64_t> value_{0};
  std::atomic<std::int64_t> slope_{0};
  std::atomic<bool> usable_;

  std::mutex mutex_;  // guards drawing, and the rest
  bool begun_ = false;
  std::uint64_t last_tick_ = 0;  // where the slope is measured from
  std::int64_t last_reference_ = 0;
  std::int64_t rate_ = 0;   // the slope measured first
  std::int64_t floor_ = 0;  // nothing below this is given any more
};

}  // namespace detail

struct tsc_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<tsc_clock>;
  static constexpr bool is_steady = true;

  static time_point now() {
    const auto reference = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
    return time_point{duration{line_.now(detail::read_tsc, reference)}};
  }

  // "tsc", or "steady_clock" if it had to fall back.
  static const char* source() { return line_.uses_counter() ? "tsc" : "steady_clock"; }

 private:
  static detail::tsc_line line_;
};

struct coarse_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<coarse_clock>;
  static constexpr bool is_steady = true;

  static time_point now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return time_point{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
  }
};

}  // namespace dspu::aio
