// The states of a circuit breaker, for those who need no more of it.
#pragma once

namespace dspu::core {

enum class circuit_state {
  closed,
  open,       // until an instant; then the next call makes it half-open
  half_open,  // a few calls are let in, to see
  isolated,   // forced open by hand, until it is closed by hand
};

struct circuit_transition {
  circuit_state from;
  circuit_state to;
};

}  // namespace dspu::core
