// Runs a scenario of tests/cancellation once for each of its allocations, and lets that one fail.
//
// bad_alloc must reach whoever awaits what failed, as an error of the operation: a policy that stands failures, such as a
// retry, may stand this one. Nothing may run on, or be lost, and the same objects must serve again.
#pragma once

#include "cancellation/scenarios.hpp"

#include <cstddef>
#include <string>

namespace dspu::aio::proof {

struct allocation_findings {
  std::size_t failures = 0;  // how many allocations were let fail, each in a run of its own
  std::string complaints;    // a line each; empty if all promises held
};

// `concurrency_hint`: of the event loop that it runs on.
allocation_findings fail_everywhere(const scenario& s, int concurrency_hint);

// One run, in which the n-th allocation fails. Returns: whether there was an n-th.
bool fail_at(const scenario& s, int concurrency_hint, std::int64_t n, std::string& complaint);

}  // namespace dspu::aio::proof
