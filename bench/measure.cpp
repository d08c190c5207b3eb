#include "measure.hpp"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT
#endif

namespace dspu::bench {

meter::meter(std::int64_t operations, time_of t)
    : operations_(operations), time_(t), before_(allocations()), begin_(now()) {
  CALLGRIND_TOGGLE_COLLECT;
}

sample meter::end() {
  CALLGRIND_TOGGLE_COLLECT;
  const double spent = now() - begin_;
  const auto after = allocations();
  const auto n = static_cast<double>(operations_);
  return {spent / n, static_cast<double>(after.calls - before_.calls) / n,
          static_cast<double>(after.bytes - before_.bytes) / n};
}

double meter::now() const {
  switch (time_) {
    case time_of::thread: return clock_ns(CLOCK_THREAD_CPUTIME_ID);
    case time_of::process: return cpu_ns();
    case time_of::wall: break;
  }
  return wall_ns();
}

}  // namespace dspu::bench
