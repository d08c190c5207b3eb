// Decides when a call that takes long gets another attempt beside it, and which attempt's result is the call's.
//
//   const hedge_plan plan({.max_hedges = 2, .delay = 50ms});
//   hedge_machine call(plan, plan.delay({}));
//   for (;;) {
//     const hedge_decision d = call.next(now);
//     switch (d.action) {
//       case hedge_action::start: …    // begin attempt d.attempt, say call.started(now), ask again
//       case hedge_action::wait: …     // until d.at, or until an attempt ends: call.finished(i, acceptable, now)
//       case hedge_action::won: …      // the result is that of attempt d.attempt; cancel the others, await them
//       case hedge_action::failed: …   // none was acceptable: the result is that of attempt 0
//     }
//   }
//
// Attempt 0 is the call itself. A further one starts when the last one started is `delay` old, or at once when one
// fails (Polly; gRFC A6, "Hedging Policy"): each failure starts one, whatever the delay. The first *acceptable* result
// wins; a failure does not, however early. Where a failure must not be tried again, call it acceptable: it is what the
// caller should see. When all fail, the first attempt's failure stands.
//
// Attempts that lose are cancelled: they are neither failures nor latencies. A single attempt's bookkeeping is the
// driver's; the machine only counts. Not synchronised: one user at a time.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <optional>

namespace dspu::core {

struct hedge_options {
  // 0 to 100: attempts beside the first; each may add the whole load once more.
  std::int64_t max_hedges = 1;
  // >= 0; 0 starts all at once, duration::max() only after failures.
  duration delay = std::chrono::seconds{2};
  // 0 to 1: of the latencies seen, taken for the delay where there is one. 0.95 hedges one call in twenty.
  std::optional<double> quantile{};
  // >= 0: what a quantile is cut to; `delay` is not.
  duration min_delay = std::chrono::milliseconds{1};
};

// The options, checked once; shared by calls.
class hedge_plan {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit hedge_plan(const hedge_options& options);

  // The delay of a call that begins now, where `seen` is the quantile of latencies (latency_quantile), if there is one.
  duration delay(std::optional<duration> seen) const;

  const hedge_options& options() const { return options_; }

 private:
  hedge_options options_;
};

enum class hedge_action { start, wait, won, failed };

struct hedge_decision {
  hedge_action action;
  std::int64_t attempt;  // which to start, which won, or 0 for failed; otherwise 0
  instant at;            // for wait: when to ask again even if nothing ends; instant::max() if never
};

class hedge_machine {
 public:
  hedge_machine(const hedge_plan& plan, duration delay)
      : most_(plan.options().max_hedges + 1), delay_(delay) {}

  hedge_decision next(instant now) const;

  // The attempt that next() asked for has begun.
  void started(instant now);

  // Attempt `attempt` has ended. What ends after there is a winner changes nothing.
  void finished(std::int64_t attempt, bool acceptable);

  // No further attempt is wanted: a budget is spent, a deadline too close, the server asks for less. Those under way
  // go on, and may still win; the first is made in any case.
  void suppress() { most_ = started_ > 0 ? started_ : 1; }

  std::int64_t attempts() const { return started_; }
  std::int64_t in_flight() const { return started_ - finished_; }

 private:
  std::int64_t most_;  // attempts
  duration delay_;
  instant due_{};  // when the next one starts, if no failure starts it before
  std::int64_t started_ = 0;
  std::int64_t finished_ = 0;
  std::int64_t owed_ = 0;  // failures that have not yet started another attempt
  std::optional<std::int64_t> winner_{};
};

}  // namespace dspu::core
