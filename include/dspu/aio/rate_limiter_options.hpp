// What a rate limiter is made of, what one asks it for, and what it tells of itself.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace dspu::aio {

struct bandwidth {
  // Tokens that flow in each `per`. Above 0, at most 1e10 a second; fractions are fine.
  double rate = 0;
  // At least 1 ns, at most 36 years.
  duration per = std::chrono::seconds{1};
  // The most that may be taken at once after a pause. Above 0; without it: rate.
  std::optional<double> capacity = std::nullopt;
};

struct rate_limiter_options {
  // As in `bandwidth`.
  double rate = 0;
  duration per = std::chrono::seconds{1};
  std::optional<double> capacity = std::nullopt;
  // The least time between two wakes of the line. A wake lets go everyone who is due, so a longer interval costs
  // less CPU and makes waiters late by up to that much; their rate stays exact. 0: wake for each. At least 0.
  duration wake_interval = std::chrono::microseconds{100};
  // How many may wait; one more gets queue_full_error. At least 0.
  std::size_t max_waiters = std::numeric_limits<std::size_t>::max();
  // Further bandwidths that must all have the tokens too: 10 a second *and* 1000 an hour. At most 3. With any of them
  // each acquisition takes a lock.
  std::vector<bandwidth> also = {};
  // Decides and counts, but never waits and never refuses: to try a limit on real traffic. statistics() has what it
  // would have done. The bucket goes into debt for those who would wait; max_waiters and priorities play no part.
  // Each acquisition takes a lock.
  bool shadow = false;
  // statistics() counts also those who are let in or refused at once, for an atomic addition each. Without it these
  // are counted only where they take a lock anyhow.
  bool count_all = false;
};

// Classes of waiters. Each is a line of its own; tokens go to the lines where somebody waits as 1 : 4 : 16. So no class
// starves: with A tokens asked for by somebody and those in front of it in its line, and m the most that anybody asks
// for at once, it is served before the limiter has made 21·A + 22·m tokens (low; normal 5.25·A + 6.25·m, high
// 1.3125·A + 2.3125·m), whatever the others do. Within a class: first come, first served.
enum class priority { low, normal, high };

struct acquire_options {
  // The latest that the tokens may come, by the limiter's clock: `core::instant_of(Clock::now() + 2s)`. Where they
  // would come later, by the rate and the line ahead, the wait is refused at once and takes nothing. So it is where
  // that becomes so while it waits: the rate was lowered, the bucket drained, a higher class served first. The bound is
  // on the tokens: who is told of them may be late by wake_interval and by what the event loop is busy with.
  // Without it: wait as long as it takes.
  std::optional<core::instant> deadline = std::nullopt;
  // Whom to serve first. A deadline where several classes wait costs a look at the line ahead.
  enum priority priority = priority::normal;
};

// What a limiter has done, all of one moment.
struct rate_limiter_statistics {
  std::uint64_t granted = 0;  // let through. Without count_all, several bandwidths or shadow: only those who waited
  std::uint64_t waited = 0;   // came into the line, or (in shadow) would have
  std::uint64_t refused = 0;  // queue full, deadline, capacity; tries that failed, counted as in `granted`
  std::size_t waiting = 0;
  double tokens = 0;
};

}  // namespace dspu::aio
