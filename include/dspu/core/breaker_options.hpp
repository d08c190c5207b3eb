// What a circuit breaker goes by; what each means to its user is told in aio/circuit_breaker_options.hpp.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/outcome_window.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

// Judges by the share of failures, or of slow calls, among the newest: those of the last `calls` or of the last `time`.
// With neither there is no window.
struct breaker_window {
  // The newest so many calls. In [1, 1'000'000]; a byte each.
  std::optional<std::int64_t> calls = std::nullopt;
  // The calls that ended within so long. Above 0.
  std::optional<duration> time = std::nullopt;
  // The steps in which `time` slides: the more, the smoother; 24 bytes each. In [1, 1000].
  std::int64_t buckets = 10;
  // Nothing is judged by fewer calls than this. At least 1; above `calls` it means: when the window is full.
  std::int64_t min_calls = 20;
  // Opens when failures / calls reaches it. In (0, 1].
  double failure_rate = 0.5;
  // A call that takes longer is slow, whatever it comes to. At least 0; without it none is.
  std::optional<duration> slow_call = std::nullopt;
  // Opens when slow calls / calls reaches it. In (0, 1].
  double slow_rate = 1.0;

  bool set() const { return calls || time; }
  window_extent extent() const { return {calls, time, buckets}; }
};

struct breaker_options {
  std::int64_t failure_threshold = 5;  // >= 1: consecutive failures that open; with a window also 0: they do not
  std::int64_t success_threshold = 2;  // >= 1: successes in half-open that close
  duration timeout = std::chrono::seconds{60};  // >= 0: how long it stays open
  std::optional<std::int64_t> half_open_max_calls = std::nullopt;  // >= 1: probes at once; without it: success_threshold
  breaker_window window{};
  double timeout_multiplier = 1.0;                        // >= 1, finite: `timeout` times this for each re-opening
  duration max_timeout = std::chrono::minutes{10};        // > 0: and no longer; a `timeout` above it does not grow
  bool half_open_ramp = false;                            // 1, 2, 4 … probes at once
  std::optional<duration> probe_timeout = std::nullopt;   // > 0: then its place is given up
  duration max_retry_after = std::chrono::minutes{5};     // >= 0: what a failure asks for is cut to it
  bool metrics_only = false;                              // decides and counts, but lets everybody in

  std::int64_t most_probes() const { return half_open_max_calls.value_or(success_threshold); }
};

// Throws: std::invalid_argument naming the option, its value and its range.
void check(const breaker_options& options);

}  // namespace dspu::core
