// How often, when and why a retry (retry.hpp) calls again.
#pragma once

#include "dspu/aio/callback.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/core/backoff.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>

namespace dspu::aio {

using core::backoff_strategy;
using core::jitter;

class retry_budget;

struct retry_options {
  // Attempts in all; the first call counts. At least 1.
  std::int64_t max_attempts = 3;
  // How the pause grows: constant base_delay; base_delay · (1 + multiplier · (n − 1)); base_delay · multiplier^(n − 1).
  backoff_strategy strategy = backoff_strategy::exponential;
  // The pause after the first failure. At least 0.
  duration base_delay = std::chrono::seconds{1};
  // No pause is longer, at any attempt, jitter included. At least 0.
  duration max_delay = std::chrono::seconds{60};
  // Finite, at least 0.
  double multiplier = 2.0;
  // How the pause is drawn: none, full (uniform in [0, pause]), equal (its upper half), decorrelated.
  core::jitter jitter = core::jitter::full;
  // A failure that says when to come back (Retry-After) is obeyed, up to this, if it asks for longer than the backoff;
  // if it asks for more than this, the call fails at once with that failure. At least 0.
  duration max_retry_after = std::chrono::minutes{5};
  // Which outcomes are worth another attempt. Without it: every exception, and every result without a value.
  classifier classify = nullptr;
  // Reads from a failure how long it asks us to wait. Without it: error::retry_after().
  std::function<std::optional<duration>(const outcome&)> retry_after = nullptr;
  // Charged for every attempt beyond the first, before its pause; if it refuses, the call ends at once as the attempt
  // did. It must outlive the retry. Without it: that of the retry around, if this one is inside of one; else no limit.
  retry_budget* budget = nullptr;
  // Called before each pause as (attempt, error), plain or asynchronous: attempt is that which failed, from 1; error is
  // null if it failed by its result. What it throws ends the call with callback_error.
  callback<std::int64_t, std::exception_ptr> on_retry = nullptr;
  // Uniform in [0, 1); called from whatever thread the call is on. Without it: a generator per thread, seeded by the OS.
  std::function<double()> random = nullptr;
  // Shadow mode: decides, and in a pipeline tells the observer, but makes no second attempt and charges no budget.
  bool shadow = false;
};

}  // namespace dspu::aio
