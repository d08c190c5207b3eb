#include "dspu/core/breaker_options.hpp"

#include "dspu/core/check.hpp"

#include <cmath>

namespace dspu::core {

namespace {

constexpr std::int64_t max_window_calls = 1'000'000;
constexpr std::int64_t max_buckets = 1'000;
constexpr std::int64_t max_watched_probes = 1'000;

bool is_rate(double r) { return r > 0 && r <= 1; }

void check(const breaker_window& w) {
  if (w.calls) {
    require(*w.calls >= 1 && *w.calls <= max_window_calls, "circuit_breaker.window.calls", *w.calls,
            "in [1, 1000000]");
  }
  if (w.time) {
    require(*w.time > duration{0}, "circuit_breaker.window.time", *w.time, "above 0 s");
    require(!w.calls, "circuit_breaker.window.time", *w.time, "left out where window.calls is given");
  }
  require(w.buckets >= 1 && w.buckets <= max_buckets, "circuit_breaker.window.buckets", w.buckets, "in [1, 1000]");
  require(w.min_calls >= 1, "circuit_breaker.window.min_calls", w.min_calls, "at least 1");
  require(is_rate(w.failure_rate), "circuit_breaker.window.failure_rate", w.failure_rate, "above 0, at most 1");
  require(is_rate(w.slow_rate), "circuit_breaker.window.slow_rate", w.slow_rate, "above 0, at most 1");
  if (w.slow_call) {
    require(*w.slow_call >= duration{0}, "circuit_breaker.window.slow_call", *w.slow_call, "at least 0 s");
    require(w.set(), "circuit_breaker.window.slow_call", *w.slow_call,
            "left out where neither window.calls nor window.time is given");
  }
}

}  // namespace

void check(const breaker_options& o) {
  check(o.window);
  if (o.window.set()) {
    require(o.failure_threshold >= 0, "circuit_breaker.failure_threshold", o.failure_threshold, "at least 0");
  } else {
    require(o.failure_threshold >= 1, "circuit_breaker.failure_threshold", o.failure_threshold, "at least 1");
  }
  require(o.success_threshold >= 1, "circuit_breaker.success_threshold", o.success_threshold, "at least 1");
  require(o.timeout >= duration{0}, "circuit_breaker.timeout", o.timeout, "at least 0 s");
  require(o.most_probes() >= 1, "circuit_breaker.half_open_max_calls", o.most_probes(), "at least 1");
  require(std::isfinite(o.timeout_multiplier) && o.timeout_multiplier >= 1, "circuit_breaker.timeout_multiplier",
          o.timeout_multiplier, "a finite number of at least 1");
  require(o.max_timeout > duration{0}, "circuit_breaker.max_timeout", o.max_timeout, "above 0 s");
  if (o.probe_timeout) {
    require(*o.probe_timeout > duration{0}, "circuit_breaker.probe_timeout", *o.probe_timeout, "above 0 s");
    require(o.most_probes() <= max_watched_probes, "circuit_breaker.half_open_max_calls", o.most_probes(),
            "at most 1000 where probe_timeout is given");
  }
  require(o.max_retry_after >= duration{0}, "circuit_breaker.max_retry_after", o.max_retry_after, "at least 0 s");
}

}  // namespace dspu::core
