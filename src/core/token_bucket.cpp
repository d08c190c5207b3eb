#include "dspu/core/token_bucket.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <cmath>

namespace dspu::core {

namespace {

using wide = unsigned __int128;

constexpr double level_limit = 0x1p62;
constexpr double longest_horizon = 55 * 365.25 * 86400e9;  // ns: 50 years and some room; below 2^61
constexpr std::int64_t largest_denominator = std::int64_t{1} << 60;

// ceil(2^122 · a / b) by long division. Requires: a / b < 32.
wide scaled_quotient(std::uint64_t a, std::uint64_t b) {
  wide quotient = a / b;
  wide rest = a % b;
  for (int bit = 0; bit < 122; ++bit) {
    rest <<= 1;
    quotient <<= 1;
    if (rest >= b) {
      rest -= b;
      quotient |= 1;
    }
  }
  return rest == 0 ? quotient : quotient + 1;
}

void check(const token_bucket_options& o, double capacity) {
  require(o.per > duration{0} && o.per.count() <= largest_denominator, "token_bucket.per", o.per,
          "above 0 s and at most 36 years");
  const double per_second = o.rate / std::chrono::duration<double>(o.per).count();
  require(std::isfinite(o.rate) && o.rate > 0 && o.rate <= 0x1p60 && per_second <= 1e10, "token_bucket.rate", o.rate,
          "above 0 and at most 1e10 tokens per second (and 2^60 a period)");
  require(std::isfinite(capacity) && capacity > 0 && capacity <= 0x1p60, "token_bucket.capacity", capacity,
          "above 0 and at most 2^60 tokens");
}

}  // namespace

token_bucket::token_bucket(const token_bucket_options& options, instant start)
    : start_(start), rate_(options.rate), per_(options.per), capacity_(options.capacity.value_or(options.rate)) {
  check(options, capacity_);
  const double per_ns = options.rate / static_cast<double>(options.per.count());

  // The finest units whose count over the whole horizon still fits; whole tokens at the least.
  int fraction_bits = 40;
  while (fraction_bits > 0 && std::ldexp(per_ns * longest_horizon + 2 * capacity_, fraction_bits) >= level_limit) {
    --fraction_bits;
  }
  scale_ = std::ldexp(1.0, fraction_bits);
  one_ = units{1} << fraction_bits;
  capacity_units_ = std::max<units>(1, std::llround(capacity_ * scale_));
  const double most = (level_limit - 2 * capacity_ * scale_) / (per_ns * scale_);
  horizon_ = static_cast<std::uint64_t>(std::min(longest_horizon, most));

  // numerator / denominator = rate · scale / per, with as many bits of the rate as fit.
  int extra = 0;
  while (options.per.count() <= (largest_denominator >> (extra + 1)) &&
         std::ldexp(options.rate * scale_, extra + 1) < 0x1p61) {
    ++extra;
  }
  numerator_ = std::max<std::int64_t>(1, std::llround(std::ldexp(options.rate * scale_, extra)));
  denominator_ = options.per.count() << extra;

  const wide factor =
      scaled_quotient(static_cast<std::uint64_t>(numerator_), static_cast<std::uint64_t>(denominator_));
  factor_low_ = static_cast<std::uint64_t>(factor);
  factor_high_ = static_cast<std::uint64_t>(factor >> 64);
}

std::uint64_t token_bucket::outside(std::uint64_t elapsed) const {
  return static_cast<std::int64_t>(elapsed) < 0 ? 0 : horizon_;
}

instant token_bucket::ready_at(level l, __int128 n) const {
  const __int128 missing = l + n - capacity_units_;
  if (missing <= 0) return start_;
  if (missing >= units{1} << 62) return instant::max();
  const auto a = static_cast<wide>(missing) * static_cast<std::uint64_t>(denominator_);
  const auto b = static_cast<std::uint64_t>(numerator_);
  const wide elapsed = (a + b - 1) / b;
  if (elapsed > horizon_) return instant::max();
  return add_saturating(start_, duration{static_cast<std::int64_t>(elapsed)});
}

double token_bucket::available(level l, instant now) const {
  const units made_now = made(now);
  const units missing = std::clamp<units>(l - made_now, 0, capacity_units_);
  return static_cast<double>(capacity_units_ - missing) / scale_;
}

}  // namespace dspu::core
