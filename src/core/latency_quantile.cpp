#include "dspu/core/latency_quantile.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace dspu::core {

namespace {

const latency_quantile_options& checked(const latency_quantile_options& o) {
  require(o.window >= duration{2} && o.window <= std::chrono::hours{24}, "latency_quantile.window", o.window,
          "2 ns to 24 h");
  require(o.min_samples >= 1, "latency_quantile.min_samples", o.min_samples, "at least 1");
  return o;
}

}  // namespace

latency_quantile::latency_quantile(const latency_quantile_options& options)
    : options_(checked(options)), half_(options.window.count() / 2) {}

void latency_quantile::reconfigure(const latency_quantile_options& options, instant now) {
  options_ = checked(options);
  rotate(now);
  half_ = options.window.count() / 2;
  newest_ = half_at(now);
}

// Rows 0 and 1 hold 0 to 63 ns one by one; from then on row r holds [2^(r + 4), 2^(r + 5)) in steps of 2^(r - 1).
std::size_t latency_quantile::bucket_of(duration latency) {
  const auto most = (std::int64_t{1} << longest) - 1;
  const auto ns = static_cast<std::uint64_t>(std::clamp<std::int64_t>(latency.count(), 0, most));
  if (ns < row) return static_cast<std::size_t>(ns);
  const int shift = static_cast<int>(std::bit_width(ns)) - precision - 1;
  return static_cast<std::size_t>(shift) * row + static_cast<std::size_t>(ns >> shift);
}

duration latency_quantile::upper_end(std::size_t bucket) {
  if (bucket < row) return duration{static_cast<std::int64_t>(bucket)};
  const std::size_t shift = bucket / row - 1;
  const auto beyond = static_cast<std::int64_t>(bucket % row + row + 1) << shift;
  return duration{beyond - 1};
}

void latency_quantile::record(duration latency, instant now) {
  rotate(now);
  histogram& h = histograms_[filling_];
  if (h.samples == std::numeric_limits<std::uint32_t>::max()) return;  // four thousand million tell enough
  const std::size_t bucket = bucket_of(latency);
  ++h.samples;
  ++h.row_sums[bucket / row];
  ++h.counts[bucket];
}

std::optional<duration> latency_quantile::quantile(double q, instant now) {
  require(q >= 0 && q <= 1, "latency_quantile.q", q, "0 to 1");
  const std::int64_t n = samples(now);
  if (n < options_.min_samples) return std::nullopt;

  // 0.07 · 100 is a little more than 7 in binary; it means the seventh all the same.
  const double rank = std::ceil(q * static_cast<double>(n) * (1 - 0x1p-50));
  std::int64_t left = std::clamp<std::int64_t>(static_cast<std::int64_t>(rank), 1, n);

  const auto count = [this](auto member, std::size_t i) {
    return static_cast<std::int64_t>((histograms_[0].*member)[i]) + (histograms_[1].*member)[i];
  };
  std::size_t r = 0;
  for (; left > count(&histogram::row_sums, r); ++r) left -= count(&histogram::row_sums, r);
  std::size_t bucket = r * row;
  for (; left > count(&histogram::counts, bucket); ++bucket) left -= count(&histogram::counts, bucket);
  return upper_end(bucket);
}

std::int64_t latency_quantile::samples(instant now) {
  rotate(now);
  return histograms_[0].samples + histograms_[1].samples;
}

std::int64_t latency_quantile::half_at(instant now) const {
  const std::int64_t ns = now.time_since_epoch().count();
  return ns / half_ - (ns % half_ < 0 ? 1 : 0);
}

void latency_quantile::rotate(instant now) {
  const std::int64_t half = half_at(now);
  if (newest_ && half <= *newest_) return;
  const bool next = newest_ && half - 1 == *newest_;
  newest_ = half;
  filling_ = 1 - filling_;
  histograms_[filling_] = {};
  if (!next) histograms_[1 - filling_] = {};
}

}  // namespace dspu::core
