// A histogram of durations in constant memory, exact to 3 %, for percentiles over any number of requests.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace dspu::app {

class histogram {
 public:
  // A negative duration counts as 0.
  void add(std::chrono::nanoseconds duration);

  std::uint64_t count() const { return count_; }
  // The duration that `share` of all were no longer than; 0 if there are none. Requires: 0 <= share <= 1.
  std::chrono::nanoseconds percentile(double share) const;
  std::chrono::nanoseconds max() const { return max_; }

 private:
  // Microseconds: one bucket each up to 63, then 32 to each doubling.
  static constexpr std::size_t steps = 32;
  static constexpr std::size_t buckets = steps * 60;

  static std::size_t bucket_of(std::uint64_t microseconds);
  static std::uint64_t top_of(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{};
};

}  // namespace dspu::app
