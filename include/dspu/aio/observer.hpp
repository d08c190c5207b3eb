// What a pipeline tells of its decisions: one event each, with the numbers behind it.
//
//   class to_stderr : public observer {
//     void on_event(const event& e) noexcept override { … }
//   };
//   auto resilient = (retry{} | breaker).observed_by(watcher, "catalog");
//
// log_lines.hpp, prometheus.hpp and recorder.hpp have observers ready made. Without an observer nothing is computed.
//
// Thread-safety: on_event is called on the executor of the call, so from several threads if calls run on several. It is
// called between the steps of a call and delays it; it must not throw, and must not wait.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <exception>
#include <span>
#include <string_view>

namespace dspu::aio {

enum class event_kind {
  call_ended,       // the call through the pipeline: facts seconds, attempts
  attempt_ended,    // one run of the operation: facts seconds
  retry_scheduled,  // an attempt failed, and there will be another: facts delay (seconds)
  retry_gave_up,    // an attempt failed, and there will not: the reason says why
  refused,          // a policy let the call not pass: the reason says why
  waited,           // a policy made the call wait, and then let it pass: facts seconds
  timed_out,        // a timeout cancelled what was inside it: facts limit (seconds)
  state_changed,    // of a circuit breaker: the reason is "closed", "open", …
  limit_changed,    // of an adaptive limit: facts limit, in_flight
  hedged,           // another attempt was begun beside one under way: facts delay (seconds)
  hedge_won,        // and it won
  fell_back,        // the fallback took the place of a failure
  injected,         // chaos: the reason says what
  shadowed,         // a policy in shadow mode would have refused the call, or made it wait
};

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
  std::string_view reason;       // a word of the kind's; for ended: "success", "failure" or "cancelled"
  core::instant at;              // on the pipeline's clock
  std::uint64_t call;            // the same for all events of a call
  std::int64_t attempt;          // of the innermost retry around, from 1
  std::span<const fact> facts;   // the numbers behind the decision
  const std::exception_ptr& error;  // what failed; may be null
};

class observer {
 public:
  virtual ~observer() = default;
  virtual void on_event(const event& e) noexcept = 0;
};

}  // namespace dspu::aio
