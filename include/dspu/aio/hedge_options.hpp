// When a hedge (hedge.hpp) begins further attempts, and how many.
#pragma once

#include "dspu/aio/outcome.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace dspu::aio {

class retry_budget;

struct hedge_options {
  // Attempts beside the first. 0 to 100; each may add the whole load once more.
  std::int64_t max_hedges = 1;
  // How long an attempt may take before the next is begun beside it. At least 0: 0 begins all at once,
  // duration::max() only after failures.
  duration delay = std::chrono::seconds{2};
  // Of the latencies seen: taken for the delay as soon as there are enough. 0 to 1; 0.95 hedges one call in
  // twenty.
  std::optional<double> quantile{};
  // The quantile is cut to this from below; `delay` is not. At least 0.
  duration min_delay = std::chrono::milliseconds{1};
  // How far back the quantile looks. 2 ns to 24 h.
  duration window = std::chrono::seconds{60};
  // Fewer latencies than this are no quantile. At least 1.
  std::int64_t min_samples = 20;
  // Which outcomes start the next attempt: failures. All else is acceptable, what is ignored too: it is for
  // the caller to see. Without it: every exception, and every result without a value, is a failure.
  classifier classify = nullptr;
  // Charged for every attempt beside the first; if it refuses, no more are begun, and those under way go on.
  // It must outlive the hedge. Without it: that of the retry around, if there is one; else no limit.
  retry_budget* budget = nullptr;
  // Shadow mode: tells the observer, and counts, when it would have begun another attempt, and begins none.
  bool shadow = false;
};

}  // namespace dspu::aio
