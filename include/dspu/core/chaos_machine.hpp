// Decides what to inject into a call, to see how its callers bear it: a delay, a fault, a made-up result.
//
//   chaos_machine chaos({.fault_rate = 0.02, .latency_rate = 0.1, .latency_max = 500ms});
//   random_source random{seed};
//   const chaos_injection i = chaos.next(random);
//   // wait for i.latency; then, by i.outcome, make the call, fail in its stead, or return the made-up result
//
// In this order, each from a number of its own:
//
//   latency   with latency_rate, uniform in [latency_min, latency_max], whatever follows
//   fault     with fault_rate
//   result    with result_rate of the calls that got no fault: with 0.02 and 0.5, of all calls 2 % get a fault and
//             49 % a result. Rates compose in sequence; they need not add up to 1.
//
// A call uses four numbers always, whatever the rates: a seed gives call n the same draws when rates change, so a
// higher rate injects where the lower one did, and elsewhere too. Immutable, so safe to share; the random source is the
// driver's.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/random.hpp"

#include <cstdint>

namespace dspu::core {

struct chaos_options {
  double fault_rate = 0;               // 0 to 1: calls that fail without being made
  double result_rate = 0;              // 0 to 1: of the others, those that return a made-up result
  double latency_rate = 0;             // 0 to 1: calls that are delayed
  duration latency_min = duration{0};  // >= 0
  duration latency_max = std::chrono::seconds{1};  // >= latency_min
};

enum class chaos_outcome { none, fault, result };

struct chaos_injection {
  duration latency{0};
  chaos_outcome outcome = chaos_outcome::none;
};

// Uniform in [0, 1), one for each decision.
struct chaos_draws {
  double latency;
  double latency_length;
  double fault;
  double result;
};

class chaos_machine {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit chaos_machine(const chaos_options& options);

  chaos_injection next(const chaos_draws& draws) const;
  chaos_injection next(random_source& random) const;

  const chaos_options& options() const { return options_; }

 private:
  duration latency_of(double unit) const;

  chaos_options options_;
};

}  // namespace dspu::core
