// What a policy says of itself, for describe() and lint().
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <string>

namespace dspu::aio {

struct stage_facts {
  // The policy's name, as it is written in code.
  std::string policy;
  // Its options, in words: "5 attempts, exponential from 1 s to 60 s".
  std::string text;
  // How long it lets a call take; duration::max() if it sets no bound.
  core::duration limit = core::duration::max();
  // How often it runs what is inside it, at most.
  std::int64_t runs = 1;
  // The sum of its longest pauses between these.
  core::duration pauses{0};
  // Runs what is inside it several times at once.
  bool concurrent_runs = false;
  // Whether it takes an attempt that timed out for a failure; only for those that classify.
  bool counts_timeouts = true;
  // The same for calls that policies further in refused (throttled, bulkhead full), and for those that they ended early
  // because a deadline could not be met.
  bool counts_refusals = true;
  bool counts_deadlines = true;
  // Judges what comes out of it: a retry, a breaker, a throttle.
  bool judges = false;
  // Puts something else in the place of failures, so that whoever judges further out sees none.
  bool hides_failures = false;
  // The longest of its first pauses.
  core::duration first_pause{0};
  // Refuses calls by itself, and says nothing of when to come back.
  bool refuses_without_hint = false;
  // The pace at which it lets calls through, and how many at once after a pause; 0: it has none.
  core::duration one_in{0};
  double burst = 0;
  // Opens after so many failures in a row; 0: it does not go by that.
  std::int64_t opens_after = 0;
  // A call that takes longer counts as slow; duration::max() if none does.
  core::duration slow_call = core::duration::max();
  // The state that it shares with other pipelines; null if it has none.
  const void* state = nullptr;
  // Calls keep places of that state as long as they last, so that a call needs two of them if it is there twice.
  bool holds_places = false;
  // A timeout in shadow mode: it ends nothing, so it has no `limit`.
  bool shadow = false;
};

}  // namespace dspu::aio
