// One measured stretch of work: time, allocations and, under callgrind, instructions.
#pragma once

#include "support.hpp"

#include <cstdint>

namespace dspu::bench {

// Per operation.
struct sample {
  double ns = 0;
  double allocations = 0;
  double bytes = 0;
};

enum class time_of {
  thread,   // CPU time of this thread: what other processes do is left out
  process,  // CPU time of all threads
  wall,     // for work that waits, or that threads share
};

// From its construction to end(): nothing else is counted. Under callgrind instructions are counted between the two too.
class meter {
 public:
  explicit meter(std::int64_t operations, time_of t = time_of::thread);
  sample end();

 private:
  double now() const;

  std::int64_t operations_;
  time_of time_;
  allocation_count before_;
  double begin_;
};

}  // namespace dspu::bench
