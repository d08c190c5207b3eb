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
};


}  // namespace dspu::aio
