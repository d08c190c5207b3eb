// A token bucket that cannot drift: the arithmetic of it, without any state of its own.
//
// Time makes tokens, takers use them. Both are counted from the bucket's start in fixed-point *units*, and never
// accumulated step by step: what was made by an instant is computed afresh, as a 192-bit product of the time since
// the start. The whole state of a bucket is one integer, its `level`: the amount made at which it is full again.
//
//                    made(now)            level
//   ─────────────────────┼──────────────────┼───────▶ units        available = capacity − (level − made(now))
//                        └── missing from ──┘                       a level behind made(now) means: full
//                            the capacity
//
// This is GCRA (ITU-T I.371) counted in tokens instead of time, so that rates need not divide a second. The reported
// instants are exact: one nanosecond earlier refuses. A clock that steps back makes nothing and takes nothing.
//
// Immutable, so safe to share; a level fits an atomic word with one bit to spare. Levels stay below 2^62: tokens are
// made for 50 years (fewer only above 2.5e9 tokens/s: 14 years at 1e10/s), then no more.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

struct token_bucket_options {
  double rate = 0;                          // tokens made per `per`; > 0, at most 1e10 tokens/s
  duration per = std::chrono::seconds{1};   // > 0, at most 36 years
  std::optional<double> capacity = std::nullopt;  // > 0, at most 2^60; without it: rate
};

class token_bucket {
 public:
  using level = std::int64_t;  // the state; 0 is a bucket that starts full
  using units = std::int64_t;

  // The bucket starts full at `start`.
  // Throws: std::invalid_argument naming the option, its value and its range.
  token_bucket(const token_bucket_options& options, instant start);

  // How many units `tokens` are; at least one. Requires: 0 < tokens <= capacity().
  units units_of(double tokens) const {
    if (tokens == 1) return one_;
    const auto wanted = static_cast<units>(tokens * scale_ + 0.5);
    return wanted < 1 ? 1 : wanted;
  }

  // The level after taking n at `now`, or nothing if there are too few. A bucket that was full starts anew.
  std::optional<level> take(level l, units n, instant now) const {
    return try_take(l, n, now) ? std::optional(l) : std::nullopt;
  }
  // The same in place, for those who count instructions. False: too few, and the level is as it was.
  bool try_take(level& l, units n, instant now) const {
    const units least = l + n - capacity_units_;  // known before the time is
    const units made_now = made(now);
    if (made_now < least || n > capacity_units_) return false;
    l = (l < made_now ? made_now : l) + n;
    return true;
  }

  // The same for the head of a queue that has been waiting since before `now`: its tokens were set aside as they were
  // made, so that waking late loses no rate, however small the capacity. At most `slack` units are set aside so.
  std::optional<level> take_queued(level l, units n, instant now, units slack) const {
    const units made_now = made(now);
    const level kept_back = made_now - slack;
    const level next = (l < kept_back ? kept_back : l) + n;
    if (next > made_now + capacity_units_) return std::nullopt;
    return next;
  }

  // The first instant at which take(l, n, …) succeeds if nobody else takes; instant::max() if never. For n above the
  // capacity: at which so many have been taken by several, one after the other.
  instant ready_at(level l, __int128 n) const;

  // Tokens in the bucket at `now`, in [0, capacity].
  double available(level l, instant now) const;

  double rate() const { return rate_; }
  duration per() const { return per_; }
  double capacity() const { return capacity_; }
  // The smallest fraction of a token that is told apart: 2^-40 for slow buckets, 1/2 at 1e9 tokens/s.
  double granularity() const { return 1 / scale_; }
  units capacity_units() const { return capacity_units_; }

  // Units made from the start until `now`: floor(elapsed · numerator / denominator), exactly.
  units made(instant now) const {
    auto elapsed = static_cast<std::uint64_t>((now - start_).count());
    if (elapsed > horizon_) [[unlikely]] elapsed = outside(elapsed);
    // factor = ceil(2^122 · numerator / denominator); the error of rounding up, below elapsed / 2^122, cannot reach
    // the next multiple of 1 / denominator, since elapsed < 2^61 and denominator <= 2^60.
    // The product's words by hand: GCC 12 takes a sum of 128 bits through memory.
    const auto low = static_cast<std::uint64_t>(static_cast<unsigned __int128>(elapsed) * factor_low_ >> 64);
    const auto high = static_cast<unsigned __int128>(elapsed) * factor_high_;
    const auto middle = static_cast<std::uint64_t>(high) + low;
    const auto upper = static_cast<std::uint64_t>(high >> 64) + (middle < low ? 1 : 0);
    return static_cast<units>((upper << (128 - 122)) + (middle >> (122 - 64)));
  }

 private:
  // What counts as elapsed of a time before the start, which is below 0, or after the horizon.
  std::uint64_t outside(std::uint64_t elapsed) const;

  std::uint64_t factor_low_;
  std::uint64_t factor_high_;
  instant start_;
  std::uint64_t horizon_;  // ns after the start at which making ends
  units capacity_units_;
  double scale_;  // units per token: a power of two
  units one_;     // the same as an integer
  std::int64_t numerator_;
  std::int64_t denominator_;  // numerator / denominator = units per nanosecond
  double rate_;
  duration per_;
  double capacity_;
};

}  // namespace dspu::core
