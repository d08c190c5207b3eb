#include "dspu/core/throttle_machine.hpp"

#include "dspu/core/check.hpp"

#include <algorithm>

namespace dspu::core {

namespace {

const throttle_options& checked(const throttle_options& o) {
  using namespace std::chrono;
  require(o.k >= 1 && o.k <= 1e6, "throttle.k", o.k, "1 to 1e6");
  require(o.window >= seconds{1} && o.window <= hours{24}, "throttle.window", o.window, "1 s to 24 h");
  require(o.max_rejection >= 0 && o.max_rejection <= 1, "throttle.max_rejection", o.max_rejection, "0 to 1");
  require(o.min_requests >= 0, "throttle.min_requests", o.min_requests, "at least 0");
  return o;
}

}  // namespace

throttle_machine::throttle_machine(const throttle_options& options)
    : options_(checked(options)), requests_(options.window), accepts_(options.window) {}

void throttle_machine::reconfigure(const throttle_options& options) {
  const bool same_window = checked(options).window == options_.window;
  options_ = options;
  if (!same_window) requests_ = accepts_ = sliding_sum<slots>(options.window);
}

bool throttle_machine::admit(double unit, instant now) {
  if (unit >= rejection_probability(now)) return true;
  requests_.add(1, now);
  return false;
}

void throttle_machine::record(bool accepted, instant now) {
  requests_.add(1, now);
  if (accepted) accepts_.add(1, now);
}

double throttle_machine::rejection_probability(instant now) {
  const std::int64_t seen = requests_.sum(now);
  if (seen < options_.min_requests) return 0;
  const auto requests = static_cast<double>(seen);
  const auto accepts = static_cast<double>(accepts_.sum(now));
  return std::clamp((requests - options_.k * accepts) / (requests + 1), 0.0, options_.max_rejection);
}

}  // namespace dspu::core
