// The circuit breaker's states, all of them:
//
//            failure_threshold consecutive failures,
//            a rate reached, or what a failure asked for
//   closed ────────────────────────────────────────▶ open
//     ▲                                              │  ▲
//     │ success_threshold successes                  │  │ one failure, or one slow call
//     │                             the first call,  │  │
//     └──────────── half_open ◀──────────────────────┘  │
//                       │        `timeout` after opening │
//                       └────────────────────────────────┘
//   isolated: entered by isolate() from anywhere, left by close() and reset() only
//
// Closed: a success clears the count of failures. Half-open: at most so many at once (places()). An ignored
// outcome (cancelled, or an error outside the filter) counts neither way and gives its place back.
//
// Every transition begins a new *generation*. A call is settled with the generation it was admitted in; results
// from an earlier one change nothing. Allocates at construction and in reconfigure() only. Not synchronised: one user
// at a time.
#pragma once

#include "dspu/core/breaker_options.hpp"
#include "dspu/core/circuit_state.hpp"
#include "dspu/core/duration.hpp"
#include "dspu/core/outcome_window.hpp"
#include "dspu/core/probe_places.hpp"
#include "dspu/core/verdict.hpp"

#include <cstdint>
#include <limits>
#include <optional>

namespace dspu::core {

struct admission {
  bool admitted;
  std::uint64_t generation;                       // to settle with, if admitted
  std::optional<duration> retry_after;            // if refused: how long until a probe may be let in; unknown while
                                                  // isolated, and while the probes of half-open are out for no set time
  std::optional<circuit_transition> transition;
};

// A call that ended.
struct ended_call {
  std::uint64_t generation;  // it was admitted with
  verdict v;
  instant started;           // the instant it was admitted at; instant::max() if nobody knows: then it is not slow
  instant now;
  std::optional<duration> retry_after = std::nullopt;  // how long its failure asked us to stay away
};

// What there is to know of a breaker at an instant.
struct breaker_statistics {
  circuit_state state;
  std::uint64_t generation;
  std::int64_t failure_count;  // consecutive; while not closed, those that opened it
  std::int64_t success_count;  // in the newest half-open
  outcome_counts window;       // while not closed: as it was left, growing older
  std::int64_t probes;         // out
  std::int64_t reopenings;     // since it was closed
  std::int64_t opened;         // how often in its life, half-open to open included
  std::int64_t refused;        // calls in its life; with metrics_only, those that it would have refused
  std::int64_t lost_probes;    // in its life
  std::optional<instant> open_until;  // while open
  std::optional<instant> last_failure_time;
};

class breaker_machine {
 public:
  // The generation of calls that would have been refused, but for metrics_only: what they come to counts for nothing.
  static constexpr std::uint64_t no_generation = std::numeric_limits<std::uint64_t>::max();

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit breaker_machine(const breaker_options& options);

  // Asks to make a call. Each admitted call is settled exactly once.
  admission enter(instant now);

  std::optional<circuit_transition> settle(const ended_call& call);
  // The same where nobody measured how long it took: no slow_call, no probe_timeout.
  std::optional<circuit_transition> settle(std::uint64_t generation, verdict v, instant now) {
    return settle({.generation = generation, .v = v, .started = now, .now = now});
  }

  // Back to closed with nothing counted; calls still out no longer matter.
  std::optional<circuit_transition> reset();
  // The same, but the time of the last failure stays; if it is closed already nothing changes.
  std::optional<circuit_transition> close();
  // Refuses everything until close() or reset().
  std::optional<circuit_transition> isolate();
  // Open until then, be that earlier or later than it would be. Changes nothing while isolated.
  std::optional<circuit_transition> force_open(instant until);

  // New options; state, counts and the calls that are out stay. The window stays if it is of the same kind and size,
  // else it starts anew. Nothing is judged before the next result. While open it stays so until the earlier of the old
  // instant and the one by the new `timeout`; an instant that somebody named stays. Only if probe_timeout comes or
  // goes while half-open, the probes that are out no longer matter.
  // Throws: std::invalid_argument as the constructor does; then nothing has changed.
  void reconfigure(const breaker_options& options);

  circuit_state state() const { return state_; }
  std::uint64_t generation() const { return generation_; }
  std::int64_t failure_count() const { return failures_; }
  std::int64_t success_count() const { return successes_; }
  std::int64_t in_flight() const { return probes_.taken(); }  // half-open probes
  // Probes that may be out at once, if it is half-open.
  std::int64_t places() const;
  std::optional<instant> last_failure_time() const { return last_failure_; }
  instant open_until() const { return open_until_; }  // meaningful while open
  // The failures that count: consecutive ones, or those in the window if they are more.
  std::int64_t failures_seen() const;
  // Whether a success changes anything while it is closed.
  bool notes_successes() const { return failures_ > 0 || window_; }
  // Whether it decides as a new one would, whatever comes: closed, and nothing counted. last_failure_time() and the
  // sums over its life do not matter.
  bool is_fresh(instant now) const {
    return state_ == circuit_state::closed && failures_ == 0 && window_.counts(now).calls == 0;
  }
  const breaker_options& options() const { return options_; }
  breaker_statistics statistics(instant now) const;

 private:
  std::optional<circuit_transition> settle_closed(const ended_call& call);
  std::optional<circuit_transition> settle_probe(const ended_call& call);
  bool is_slow(const ended_call& call) const;
  std::optional<circuit_cause> threshold_reached() const;
  duration break_time() const;
  std::optional<instant> named_by(const ended_call& call) const;
  circuit_transition open(instant now, duration at_least, std::optional<instant> named, circuit_cause cause);
  circuit_transition close_now(circuit_cause cause);
  circuit_transition move_to(circuit_state next, circuit_cause cause);

  breaker_options options_;
  outcome_window window_;
  probe_places probes_;
  circuit_state state_ = circuit_state::closed;
  std::uint64_t generation_ = 0;
  std::int64_t failures_ = 0;
  std::int64_t successes_ = 0;
  std::int64_t reopenings_ = 0;
  std::int64_t opened_ = 0;
  std::int64_t refused_ = 0;
  std::int64_t lost_probes_ = 0;
  instant opened_at_{};
  instant named_until_{};  // by a failure or by hand
  instant open_until_{};   // what came of these two
  std::optional<instant> last_failure_;
};

}  // namespace dspu::core
