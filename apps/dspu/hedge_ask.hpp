// An exchange that would like to go beside the attempt of the same request that is out (--hedge).
#pragma once

#include "dspu/core/adaptive_rate_machine.hpp"
#include "dspu/core/duration.hpp"

#include <functional>
#include <list>

namespace dspu::app {

// Waits at its origin in front of all requests, for whatever an attempt needs: a place, tokens, no hold, a
// breaker that is closed. It lives with who asks. Thread-safety: none.
struct hedge_ask {
  // Called once it may go; it holds a place from then on.
  std::function<void()> go;

  // The scheduler's own notes.
  enum class stage { idle, waiting, going } now = stage::idle;
  core::instant charged{};  // to the retry budget
  core::adaptive_rate_machine::call pace{};
  std::list<hedge_ask*>::iterator turn{};
};

}  // namespace dspu::app
