// What an adaptive rate goes by, what a server's answer may say of its limit, and what was learnt of it.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

struct adaptive_rate_options {
  // Calls per second to begin with. min_rate to max_rate; without it there is no limit until the first
  // refusal.
  std::optional<double> initial_rate = std::nullopt;
  // Calls per second: it never paces slower, except for a hold that the server asked for. Above 0, at most
  // max_rate.
  double min_rate = 0.001;
  // Calls per second: it never paces faster. min_rate to 1e9.
  double max_rate = 1e9;
  // Calls sent at once after a pause, however large the server's own burst is. 1 to 1e6.
  std::int64_t max_burst = 1'000'000;
  // Calls in flight at once. 1 to 1e6.
  std::int64_t max_concurrency = 1'000'000;
  // A Retry-After or a reset that is further off is cut to this. At least 0.
  duration max_hold = std::chrono::hours{1};
  // What was learnt is forgotten after so long without a call. Above 0.
  duration memory = std::chrono::minutes{10};
};

// What an answer says of the limit: a Retry-After, and the RateLimit fields
// (draft-ietf-httpapi-ratelimit-headers) or their X-RateLimit forerunners. Whatever is absent is not known.
struct limit_facts {
  std::optional<duration> retry_after = std::nullopt;    // from now; below 0 counts as 0
  std::optional<std::int64_t> limit = std::nullopt;      // calls in a window
  std::optional<std::int64_t> remaining = std::nullopt;  // of these
  std::optional<duration> reset = std::nullopt;          // from now until the window ends
};

// What was learnt of a server.
struct learnt_limit {
  std::optional<double> rate = std::nullopt;               // calls per second that it admits in the long run
  std::optional<std::int64_t> burst = std::nullopt;        // calls that it admitted at once
  std::optional<duration> period = std::nullopt;           // of its window, where it counts in windows
  std::optional<std::int64_t> concurrency = std::nullopt;  // calls in flight at once
};

}  // namespace dspu::core
