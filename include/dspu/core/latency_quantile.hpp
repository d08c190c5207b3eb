// A quantile of the latencies seen lately, in fixed memory and with a bounded error.
//
//   latency_quantile seen({.window = 60s});
//   seen.record(21ms, now);
//   seen.quantile(0.95, now);      // nothing until min_samples have been seen
//
// Two histograms of half a window each: one is filled, the other read along with it, and the older is emptied when the
// newer is full. So what is seen counts for half a window at least and for a whole one at most.
//
// A histogram has 32 buckets for each doubling (Tene's HdrHistogram with 5 bits): a quantile q is the upper end of the
// bucket that holds the sample of rank ceil(q · n), so it is never below that sample, and at most 1/32 (3.2 %) above it.
// Exact below 64 ns; samples of more than 2^43 ns (2.4 hours) count as that.
//
// 10 KiB, no other memory; record() is O(1), quantile() looks at about 72 counters. A clock that steps back changes
// nothing. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace dspu::core {

struct latency_quantile_options {
  duration window = std::chrono::seconds{60};  // 2 ns to 24 h: how far back it looks, at most
  std::int64_t min_samples = 20;               // >= 1: fewer say nothing of a quantile
};

class latency_quantile {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit latency_quantile(const latency_quantile_options& options);

  // Record latencies of answers only: what was cancelled or dropped was not waited for to its end.
  void record(duration latency, instant now);

  // Requires: 0 <= q <= 1.
  std::optional<duration> quantile(double q, instant now);

  std::int64_t samples(instant now);

  // New options for one in use. What was seen stays: its two halves are taken for those of the new window.
  // Throws: std::invalid_argument, as the constructor; nothing has changed then.
  void reconfigure(const latency_quantile_options& options, instant now);

  const latency_quantile_options& options() const { return options_; }

 private:
  static constexpr int precision = 5;                 // bits of a value that are kept below its first
  static constexpr std::size_t row = 1 << precision;  // buckets for a doubling
  static constexpr int longest = 43;                  // bits
  static constexpr std::size_t rows = longest - precision + 1;

  struct histogram {
    std::int64_t samples = 0;
    std::array<std::uint32_t, rows> row_sums{};
    std::array<std::uint32_t, rows * row> counts{};
  };

  static std::size_t bucket_of(duration latency);
  static duration upper_end(std::size_t bucket);
  std::int64_t half_at(instant now) const;
  void rotate(instant now);

  latency_quantile_options options_;
  std::int64_t half_;                     // ns
  std::optional<std::int64_t> newest_{};  // which half window is being filled
  std::size_t filling_ = 0;
  std::array<histogram, 2> histograms_{};
};

}  // namespace dspu::core
