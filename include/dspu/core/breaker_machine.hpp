// The circuit breaker's states, all of them:
//
//            failure_threshold consecutive failures
//   closed ────────────────────────────────────────▶ open
//     ▲                                              │  ▲
//     │ success_threshold successes                  │  │ one failure
//     │                             the first call,  │  │
//     └──────────── half_open ◀──────────────────────┘  │
//                       │        `timeout` after opening │
//                       └────────────────────────────────┘
//
// Closed: a success clears the count of failures. Half-open: at most half_open_max_calls at once. An ignored
// outcome (cancelled, or an error outside the filter) counts neither way and gives its place back.
//
// Every transition begins a new *generation*. A call is settled with the generation it was admitted in; results
// from an earlier one change nothing. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/verdict.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

enum class circuit_state { closed, open, half_open };

struct breaker_options {
  std::int64_t failure_threshold = 5;                // >= 1: consecutive failures that open
  std::int64_t success_threshold = 2;                // >= 1: successes in half-open that close
  duration timeout = std::chrono::seconds{60};       // >= 0: how long it stays open
  std::optional<std::int64_t> half_open_max_calls = std::nullopt;  // >= 1: probes at once; without it: success_threshold
};

struct circuit_transition {
  circuit_state from;
  circuit_state to;
};

struct admission {
  bool admitted;
  std::uint64_t generation;                       // to settle with, if admitted
  std::optional<duration> retry_after;            // if refused: how long until a probe may be let in; unknown
                                                  // while the probes of half-open are out
  std::optional<circuit_transition> transition;
};

class breaker_machine {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit breaker_machine(const breaker_options& options);

  // Asks to make a call. Each admitted call is settled exactly once.
  admission enter(instant now);

  std::optional<circuit_transition> settle(std::uint64_t generation, verdict v, instant now);

  // Back to closed with nothing counted; calls still out no longer matter.
  std::optional<circuit_transition> reset();

  circuit_state state() const { return state_; }
  std::uint64_t generation() const { return generation_; }
  std::int64_t failure_count() const { return failures_; }
  std::int64_t success_count() const { return successes_; }
  std::int64_t in_flight() const { return probes_; }  // half-open probes
  std::optional<instant> last_failure_time() const { return last_failure_; }
  instant open_until() const { return open_until_; }  // meaningful while open
  const breaker_options& options() const { return options_; }

 private:
  circuit_transition move_to(circuit_state next);
  circuit_transition open(instant now);

  breaker_options options_;
  std::int64_t max_probes_;
  circuit_state state_ = circuit_state::closed;
  std::uint64_t generation_ = 0;
  std::int64_t failures_ = 0;
  std::int64_t successes_ = 0;
  std::int64_t probes_ = 0;
  instant open_until_{};
  std::optional<instant> last_failure_;
};

}  // namespace dspu::core
