#include "dspu/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace dspu::app {

std::size_t histogram::bucket_of(std::uint64_t microseconds) {
  if (microseconds < 2 * steps) return microseconds;
  // The five bits below the highest one choose the step.
  const auto shift = static_cast<std::size_t>(std::bit_width(microseconds)) - 6;
  return std::min(buckets - 1, shift * steps + (microseconds >> shift));
}

// The largest number of microseconds that belongs to the bucket.
std::uint64_t histogram::top_of(std::size_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const std::size_t shift = bucket / steps - 1;
  return ((bucket - shift * steps + 1) << shift) - 1;
}

void histogram::add(std::chrono::nanoseconds duration) {
  duration = std::max(duration, std::chrono::nanoseconds::zero());
  ++counts_[bucket_of(static_cast<std::uint64_t>(duration.count() / 1000))];
  ++count_;
  max_ = std::max(max_, duration);
}

std::chrono::nanoseconds histogram::percentile(double share) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets && count_ > 0; ++bucket) {
    seen += counts_[bucket];
    if (seen < std::max<std::uint64_t>(wanted, 1)) continue;
    // The last bucket's top may be beyond what nanoseconds can say; the longest one seen is not.
    const std::uint64_t top = top_of(bucket);
    const bool beyond = top >= static_cast<std::uint64_t>(max_.count() / 1000);
    return beyond ? max_ : std::chrono::nanoseconds(std::chrono::microseconds(top));
  }
  return max_;
}

}  // namespace dspu::app
