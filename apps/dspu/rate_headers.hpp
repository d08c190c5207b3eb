// What a response says about the limit that its server keeps: how much is left, and when it is renewed.
//
//   RateLimit: "burst";r=50;t=30, "day";r=900;t=3600                    draft-ietf-httpapi-ratelimit-headers-08 and later
//   RateLimit: limit=100, remaining=50, reset=30                        draft 07
//   RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset: 30           drafts 00 to 06; seconds from now
//   X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset: …      GitHub: seconds of the epoch; others: seconds from now
//   X-RateLimit-Reset-After: 0.350                                      Discord; seconds from now, goes before X-RateLimit-Reset
//   X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Reset      X (Twitter); seconds of the epoch
//   x-ratelimit-limit-requests, -remaining-requests, -reset-requests    OpenAI: 1s, 6m0s
#pragma once

#include "dspu/transport.hpp"

#include <chrono>
#include <optional>

namespace dspu::app {

// Of the limit that is reached first: of several, the one with the least left, and of these the one that takes longest.
struct rate_quota {
  std::optional<double> limit = std::nullopt;            // requests in a window
  double remaining = 0;                                  // requests that are left in this one; at least 0
  std::optional<std::chrono::nanoseconds> reset = std::nullopt;  // until it is renewed; at least 0

  friend bool operator==(const rate_quota&, const rate_quota&) = default;
};

// Nothing if no header of the list says what is left, in a form that can be read. An instant is measured as in retry_after().
std::optional<rate_quota> rate_quota_of(const header_list& headers, std::chrono::system_clock::time_point now);

}  // namespace dspu::app
