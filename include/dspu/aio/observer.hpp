// What a pipeline tells of its decisions: one event each, with the numbers behind it.
//
//   class to_stderr : public observer {
//     void on_event(const event& e) noexcept override { … }
//   };
//   auto resilient = (retry{} | breaker).observed_by(watcher, "catalog");
//
// Ready made: log_lines (log_lines.hpp), recorder (recorder.hpp), dspu::prometheus::metrics (dspu/prometheus/metrics.hpp);
// `observers both{log, metrics};` passes all on to several. docs/telemetry.md lists every event with its facts. Without an
// observer nothing is computed.
//
// Thread-safety: on_event is called on the executor of the call, so from several threads if calls run on several. It is
// called between the steps of a call and delays it; it must not throw, and must not wait.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dspu::aio {

enum class event_kind {
  call_ended,       // the call through the pipeline, by reason (see event): facts seconds, attempts
  attempt_ended,    // one run of the operation, by reason (see event): facts seconds
  retry_scheduled,  // an attempt failed, and there will be another: facts delay (seconds), attempt, max_attempts
  retry_gave_up,    // an attempt failed, and there will not: the reason says why
  refused,          // a policy let the call not pass: the reason says why
  waited,           // a policy made the call wait, and then let it pass: facts seconds
  timed_out,        // a timeout cancelled what was inside it: facts limit (seconds)
  state_changed,    // of a circuit breaker, by this call: facts as for a refusal
  limit_changed,    // of an adaptive limit: facts limit, in_flight
  hedged,           // another attempt was begun beside one under way: facts delay (seconds)
  hedge_won,        // and it won
  fell_back,        // the fallback took the place of a failure
  injected,         // chaos: the reason says what
  shadowed,         // a policy in shadow mode would have refused the call, or made it wait
};

// "call_ended" and so on.
std::string_view name_of(event_kind k);

struct fact {
  std::string_view name;
  double value;
};

// Valid only while on_event runs.
struct event {
  event_kind kind;
  std::string_view pipeline;     // as observed_by() was told
  std::string_view policy;       // "retry", "circuit_breaker", …; empty for calls and attempts
  // Why, a word of the kind's. For what ended: "success", "failure", "ignored" (as observed_by() was told to judge, else
  // by failed()), "refused" (by a policy), "timed_out", "cancelled".
  std::string_view reason;
  std::string_view state;        // of a circuit breaker: "closed", "open", "half_open", "isolated"; else empty
  core::instant at;              // on the pipeline's clock
  std::uint64_t call;            // the same for all events of a call
  std::int64_t attempt;          // of the innermost retry around, from 1
  std::span<const fact> facts;   // the numbers behind the decision
  const std::exception_ptr& error;  // what failed; may be null
};

// The fact of that name, or `otherwise`.
double fact_or(const event& e, std::string_view name, double otherwise);

class observer {
 public:
  virtual ~observer() = default;
  virtual void on_event(const event& e) noexcept = 0;
};

// Tells several, in that order. They must outlive it.
class observers final : public observer {
 public:
  template <class... Observer>
  explicit observers(Observer&... each) : all_{&each...} {}
  explicit observers(std::vector<observer*> all) : all_(std::move(all)) {}

  void on_event(const event& e) noexcept override;

 private:
  std::vector<observer*> all_;
};

}  // namespace dspu::aio
