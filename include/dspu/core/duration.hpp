// Instants and durations as the machines see them: integer nanoseconds that saturate instead of wrapping.
//
// A machine never asks for the time. Whoever drives it hands in an `instant`, read from any clock whose
// epoch stays put; `instant_of` converts.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace dspu::core {

using duration = std::chrono::nanoseconds;

// Tags instants, so that they are not mistaken for durations; it has no now() on purpose.
struct timeline {
  using rep = std::chrono::nanoseconds::rep;
  using period = std::chrono::nanoseconds::period;
  using duration = std::chrono::nanoseconds;
  static constexpr bool is_steady = true;
};

using instant = std::chrono::time_point<timeline, duration>;

template <class Clock, class Duration>
constexpr instant instant_of(std::chrono::time_point<Clock, Duration> t) {
  return instant{std::chrono::duration_cast<duration>(t.time_since_epoch())};
}

// The sum, or the end of the representable range it would pass.
constexpr duration add_saturating(duration a, duration b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a.count(), b.count(), &sum)) return b.count() > 0 ? duration::max() : duration::min();
  return duration{sum};
}

constexpr instant add_saturating(instant t, duration d) { return instant{add_saturating(t.time_since_epoch(), d)}; }

// `d` as nanoseconds, where d may be longer than nanoseconds can say (`hours::max()`).
template <class Rep, class Period>
constexpr duration clamp_duration(std::chrono::duration<Rep, Period> d) {
  using seconds = std::chrono::duration<long double>;
  const auto s = seconds{d};
  if (s >= seconds{duration::max()}) return duration::max();
  if (s <= seconds{duration::min()}) return duration::min();
  return std::chrono::duration_cast<duration>(d);
}

// `nanoseconds` cut to [0, limit]; NaN gives 0. Never rounds above the limit.
constexpr duration clamp_nanoseconds(double nanoseconds, duration limit) {
  if (!(nanoseconds > 0)) return duration{0};
  if (nanoseconds >= static_cast<double>(limit.count())) return limit;
  return duration{static_cast<std::int64_t>(nanoseconds)};
}

}  // namespace dspu::core
