// Counts what a program that links allocations.cpp allocates.
#pragma once

#include <cstdint>

namespace dspu::test {

// Calls of operator new and of aligned_alloc, where Asio 1.81 takes handlers and frames from; on this thread.
struct allocation_count {
  std::int64_t calls = 0;
  std::int64_t bytes = 0;
};
allocation_count allocations();

}  // namespace dspu::test
