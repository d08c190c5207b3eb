// The policies that people describe on the command line in one word: "20%,floor=10/s", "vegas,max=64",
// "p95,max=2".
//
// As those of parse.hpp, these functions throw std::invalid_argument that quotes the text and says what is
// accepted.
#pragma once

#include "dspu/core/adaptive_limit.hpp"
#include "dspu/core/adaptive_rate_options.hpp"
#include "dspu/core/hedge_machine.hpp"
#include "dspu/core/retry_budget.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

namespace dspu::app {

// "20%" or "0.2": so many retries for each request; with "floor=10/s" (the default), and so many besides, for
// origins that get few requests.
core::retry_budget_options parse_retry_budget(std::string_view text);

// "aimd", "vegas" or "gradient2", then "min=1", "max=200", "initial=8" in any order.
core::adaptive_limit_options parse_adaptive_concurrency(std::string_view text);
inline constexpr std::string_view default_adaptive_concurrency = "gradient2";

// Bytes a second, on average over each such time.
struct speed_limit {
  std::uint64_t bytes_per_second = 0;
  std::chrono::nanoseconds over = std::chrono::seconds(30);
  bool operator==(const speed_limit&) const = default;
};
// "10k", or with the time that it is measured over "10k,1m".
speed_limit parse_min_speed(std::string_view text);
// "max=100/s", "min=1/m", "burst=20", "initial=50/s" in any order: the bounds of a pace that is learnt.
core::adaptive_rate_options parse_pace(std::string_view text);

// "250ms", or "p95" for a quantile of the latencies seen; then "max=1": attempts beside the first.
core::hedge_options parse_hedge(std::string_view text);

}  // namespace dspu::app
