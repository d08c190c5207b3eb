// What a circuit_breaker goes by. The plain one counts consecutive failures:
//
//   {.failure_threshold = 5, .success_threshold = 2, .timeout = 30s}
//
// and one that judges by rates, with breaks that grow while the trouble lasts:
//
//   {.failure_threshold = 0,                                             // the rates alone
//    .timeout = 5s,
//    .window = {.time = 30s, .min_calls = 50, .failure_rate = 0.5,       // opens when half of the calls fail
//               .slow_call = 2s, .slow_rate = 0.8},                      // or four in five take longer than 2 s
//    .timeout_multiplier = 2, .max_timeout = 2min,                       // 5 s, 10 s, 20 s … 2 min
//    .retry_after = retry_after_of}                                      // or for as long as the server asks
#pragma once

#include "dspu/aio/callback.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/core/breaker_options.hpp"
#include "dspu/core/circuit_state.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace dspu::aio {

// Failure and slow-call rates among the newest calls: of the last `calls`, or of the last `time`. Judged after every
// result, success or failure, once there are min_calls; a rate that is reached opens. Without a window the success of
// a closed breaker writes nothing; with one it takes the breaker's lock, and a clock reading (two with slow_call).
using core::breaker_window;

struct circuit_breaker_options {
  // Consecutive failures that open it, with a window too: whichever comes first. At least 1; with a window also 0, which
  // leaves it to the rates.
  std::int64_t failure_threshold = 5;
  // Successes in half-open that close it. At least 1. One failure, or one slow call, re-opens it.
  std::int64_t success_threshold = 2;
  // How long it stays open. At least 0. A call at the very instant it ends is let in.
  duration timeout = std::chrono::seconds{60};
  // Probes let in at once while half-open; others are refused. At least 1; without it: success_threshold.
  std::optional<std::int64_t> half_open_max_calls = std::nullopt;
  // Judge by rates as well; its members are described in core/breaker_options.hpp.
  breaker_window window{};
  // Each re-opening from half-open makes the break this many times longer; once it closes, it is back to `timeout`.
  // Finite, at least 1, which is no growth.
  double timeout_multiplier = 1.0;
  // The longest to which that grows it. Above 0; a `timeout` that is longer stays as it is.
  duration max_timeout = std::chrono::minutes{10};
  // Starts half-open with one probe at once, then 2 after 1 success, 4 after 2 more, 8 after 4 more … up to
  // half_open_max_calls: what has just come back is not met with everything at once.
  bool half_open_ramp = false;
  // A probe that has not ended within so long gives its place back, and what it comes to counts for nothing. Above 0;
  // without it a probe keeps its place until it ends, and one that never does keeps it for ever. With it
  // half_open_max_calls is at most 1000.
  std::optional<duration> probe_timeout = std::nullopt;
  // Reads from a failure how long it asks us to stay away: the breaker then opens at once, at least for so long. Called
  // for failures only. Without it: never; `retry_after_of` reads what the policies' own errors carry.
  std::function<std::optional<duration>(const outcome&)> retry_after = nullptr;
  // What that is cut to, for a server may err. At least 0; 0 heeds none.
  duration max_retry_after = std::chrono::minutes{5};
  // Decides, counts and tells of its changes as ever, but lets everybody in: statistics().refused are those that it
  // would have refused. What these come to is not counted, as they would not have been made.
  bool metrics_only = false;
  // Which outcomes are failures. Without it: every exception, and every result without a value.
  classifier classify = nullptr;
  // Called after each change as (old, new), plain or asynchronous; in order, one at a time, outside any lock. It may
  // use the breaker; what it throws is dropped. An asynchronous one is awaited by the call that made the change, or by
  // the next call if the change was made without a coroutine at hand (by hand, or by a permit settled by hand).
  callback<core::circuit_state, core::circuit_state> on_state_change = nullptr;
};

namespace detail {

core::breaker_options machine_options(const circuit_breaker_options& o);
// The same the other way round, with the functions of `rest`.
circuit_breaker_options user_options(const core::breaker_options& o, circuit_breaker_options rest);

}  // namespace detail

}  // namespace dspu::aio
