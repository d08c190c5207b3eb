// What the benchmarks measure with: an allocation counter, clocks, and rounds of which the median is taken.
#pragma once

#include "support/allocations.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <vector>

#include <sys/resource.h>

namespace dspu::bench {

namespace asio = boost::asio;

using test::allocation_count;
using test::allocations;

inline double clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return 1e9 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec);
}
inline double wall_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline double cpu_ns() { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

inline double peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}
double current_rss_bytes();

template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}
inline void forget_what_is_known() { asm volatile("" ::: "memory"); }

// One uncounted round, then n.
template <class F>
std::vector<double> rounds(int n, F f) {
  f();
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(f());
  return values;
}

// Runs a coroutine on a fresh context until it ends.
inline double on_context(int concurrency_hint, std::function<asio::awaitable<double>()> body) {
  asio::io_context context(concurrency_hint);
  double out = 0;
  asio::co_spawn(context, body(), [&](std::exception_ptr e, double v) {
    if (e) std::rethrow_exception(e);
    out = v;
  });
  context.run();
  return out;
}

}  // namespace dspu::bench
