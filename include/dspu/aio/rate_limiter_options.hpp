// What a rate limiter is made of, and what one asks it for.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

namespace dspu::aio {

struct rate_limiter_options {
  // Tokens that flow in each `per`. Above 0, at most 1e10 a second; fractions are fine.
  double rate = 0;
  // At least 1 ns, at most 36 years.
  duration per = std::chrono::seconds{1};
  // The most that may be taken at once after a pause. Above 0; without it: rate.
  std::optional<double> capacity = std::nullopt;
  // The least time between two wakes of the line. A wake lets go everyone who is due, so a longer interval costs
  // less CPU and makes waiters late by up to that much; their rate stays exact. 0: wake for each. At least 0.
  duration wake_interval = std::chrono::microseconds{100};
  // How many may wait; one more gets queue_full_error. At least 0.
  std::size_t max_waiters = std::numeric_limits<std::size_t>::max();
};

struct acquire_options {
  // The latest that the tokens may come, by the limiter's clock: `core::instant_of(Clock::now() + 2s)`. Where they
  // would come later, by the rate and the line ahead, the wait is refused at once and takes nothing. The bound is on
  // the tokens: who is told of them may be late by wake_interval and by what the event loop is busy with.
  // Without it: wait as long as it takes.
  std::optional<core::instant> deadline = std::nullopt;
};

}  // namespace dspu::aio
