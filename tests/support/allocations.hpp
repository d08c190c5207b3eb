// Counts what a program that links allocations.cpp allocates, and lets one of its allocations fail.
#pragma once

#include <cstdint>

namespace dspu::test {

// Calls of operator new and of aligned_alloc, where Asio 1.81 takes handlers and frames from; on this thread.
struct allocation_count {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;
};
allocation_count allocations();

// The n-th allocation from now fails, counted on all threads; those after it do not.
void fail_allocation(std::int64_t n);
// None fails any more. Returns: whether one has failed.
bool stop_failing();

// While it lives, allocations of this thread neither fail nor count towards the one that does.
class allocations_spared {
 public:
  allocations_spared();
  allocations_spared(const allocations_spared&) = delete;
  allocations_spared& operator=(const allocations_spared&) = delete;
  ~allocations_spared();
};

}  // namespace dspu::test
