// What an adaptive rate goes by, and what it tells of itself.
#pragma once

#include "dspu/aio/outcome.hpp"
#include "dspu/core/adaptive_rate_options.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

namespace dspu::aio {

using core::learnt_limit;
using core::limit_facts;

struct adaptive_rate_options {
  // Calls per second to begin with. min_rate to max_rate; without it there is no limit until the first refusal.
  std::optional<double> initial_rate = std::nullopt;
  // Calls per second: it never paces slower, except for a hold that the server asked for. Above 0, at most max_rate.
  double min_rate = 0.001;
  // Calls per second: it never paces faster. min_rate to 1e9.
  double max_rate = 1e9;
  // Calls sent at once after a pause, however large the server's own burst is. 1 to 1e6.
  std::int64_t max_burst = 1'000'000;
  // Calls in flight at once. 1 to 1e6.
  std::int64_t max_concurrency = 1'000'000;
  // A Retry-After or a reset that is further off is cut to this. At least 0.
  duration max_hold = std::chrono::hours{1};
  // What was learnt is forgotten after so long without a call. Above 0. Shorter follows a server that changes while
  // nobody calls it; longer spares it the refusals by which its limit is found.
  duration memory = std::chrono::minutes{10};
  // Calls that wait for their turn; one more gets queue_full_error. At least 0: with 0, nobody waits.
  std::size_t max_queue = std::numeric_limits<std::size_t>::max();
  // What an outcome says of the server's load. `failure`: it refused the call for load (HTTP 429 and 503, gRPC's
  // RESOURCE_EXHAUSTED); `success`: it took the call, even if it failed; `ignored`: nothing. Without it: load_verdict().
  classifier classify = nullptr;
  // How long a refusal asks to wait. Without it: retry_after_of().
  std::function<std::optional<duration>(const outcome&)> retry_after = nullptr;
  // What any outcome says of the limit: Retry-After and the RateLimit fields. With it, retry_after is not asked.
  std::function<limit_facts(const outcome&)> facts = nullptr;
  // Shadow mode: learns, counts and tells, and lets everybody through at once.
  bool shadow = false;
};

// All of one moment.
struct adaptive_rate_statistics {
  std::uint64_t admitted = 0;  // calls that the server took
  std::uint64_t refused = 0;   // calls that it refused for load
  std::uint64_t waited = 0;    // calls that waited for their turn, or (in shadow) would have
  std::uint64_t rejected = 0;  // calls that were not made: queue full, deadline
  std::size_t waiting = 0;
  std::int64_t in_flight = 0;
  // Calls per second at which calls go now; nothing: as many as come.
  std::optional<double> pace = std::nullopt;
  learnt_limit learnt{};
  // How long nothing goes, for the server said so.
  duration hold{0};
};

// Values, and failures other than the following, say that the server took the call. Failures that say when to come back
// (retry_after_of), std::errc::resource_unavailable_try_again and std::errc::device_or_resource_busy are refusals for
// load. Timeouts and other errors of the system (a connection that failed) say nothing.
verdict load_verdict(const outcome& o);

}  // namespace dspu::aio
