// The states of a circuit breaker and what moves it between them, for those who need no more of it.
#pragma once

namespace dspu::core {

enum class circuit_state {
  closed,
  open,       // until an instant; then the next call makes it half-open
  half_open,  // a few calls are let in, to see
  isolated,   // forced open by hand, until it is closed by hand
};

enum class circuit_cause {
  by_hand,           // reset(), close(), isolate(), force_open()
  failures,          // closed → open: failure_threshold consecutive ones
  failure_rate,      // closed → open: the window's
  slow_rate,         // closed → open: the window's
  server_asked,      // closed → open: a failure said for how long to stay away
  timeout_over,      // open → half-open
  probe_failed,      // half-open → open
  probe_slow,        // half-open → open
  probes_succeeded,  // half-open → closed
};

struct circuit_transition {
  circuit_state from;
  circuit_state to;
  circuit_cause cause;
};

// "half_open", "probe_failed" and so on.
const char* name_of(circuit_state s);
const char* name_of(circuit_cause c);

}  // namespace dspu::core
