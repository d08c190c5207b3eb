#include "dspu/descriptor_limit.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace dspu::app {

namespace {

// Standard streams, input, output, the event loop, name lookups, who reads the metrics.
constexpr std::size_t reserve = 64;
constexpr std::size_t most_idle = 256;

}  // namespace

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

connection_budget fit_connections(std::size_t limit, std::size_t wanted, std::size_t files_each) {
  const std::size_t room = limit > reserve ? limit - reserve : 1;
  const std::size_t each = 1 + files_each;
  const std::size_t concurrency = std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(1, room / each));
  const std::size_t files = files_each * concurrency;
  const std::size_t left = room > files ? room - files : 1;
  return {concurrency, std::clamp(left, concurrency, concurrency + most_idle)};
}

}  // namespace dspu::app
