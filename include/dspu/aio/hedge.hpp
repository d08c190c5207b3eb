// hedge: another attempt beside one that takes long; the first good result is the call's.
//
//   hedge twice{{.delay = 50ms}};
//   co_await twice.call(fetch, url);                    // if that takes 50 ms: fetch(url) once more beside it
//   hedge at_p95{{.delay = 2s, .quantile = 0.95}};      // after what 95 % of calls take; 2 s at first
//   auto quick = timeout(1s) | at_p95 | breaker;        // each attempt asks the breaker
//   co_await quick.call([&](const call_context& c) { return fetch(replicas[c.hedge]); });
//
// For what may be done twice: reads, and what is idempotent. The first *acceptable* result wins; an attempt
// that fails starts the next at once. When all fail, the call ends as its first attempt did. Attempts that
// lose are cancelled and waited for: none runs on after the call has returned. Their end counts nowhere:
// policies inside see a cancelled call. Nothing is begun that cannot end before the deadline of a timeout
// around: not once that is over, nor (with a quantile) if less is left than the fastest call of late took.
//
// The quantile is that of first attempts. One that lost is no latency, but it is known to have taken longer
// than it was given, and counts as that long: else slow attempts would be missing from what is seen, the
// delay would be too short, and twice as many calls be hedged as were asked for.
//
// Thread-safety: everything may be called from any thread; a lock is held for one decision. On an executor
// with several threads all attempts of a call share a lane: they wait at once, but compute one at a time. The
// hedge must outlive the calls made through it.
#pragma once

#include "dspu/aio/detail/hedging.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/hedge_options.hpp"

#include <chrono>
#include <cstdint>
#include <utility>

namespace dspu::aio {

template <class Clock>
class basic_hedge : public detail::verbs<basic_hedge<Clock>> {
 public:
  using options_type = hedge_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_hedge(hedge_options options = {}) : state_(std::move(options)) {}
  basic_hedge(const basic_hedge&) = delete;
  basic_hedge& operator=(const basic_hedge&) = delete;

  // From verbs: call(fn, args…), call_in(context, fn, args…), operator()(fn). fn and args are copied for each
  // attempt. Suspends: as fn does. On cancel: all attempts are cancelled and waited for, and no more are
  // begun; operation_aborted (as cancelled_error if the first attempt had failed before) unless one still
  // gives an acceptable result.

  // New options for calls from now on; what was seen of latencies stays. Throws: std::invalid_argument, and
  // changes nothing.
  void reconfigure(hedge_options options) {
    state_.reconfigure(std::move(options), core::instant_of(Clock::now()));
  }

  hedge_options options() { return state_.terms_at(core::instant_of(Clock::now())).rules->options; }

  // The delay of a call that began now.
  aio::duration delay() { return state_.terms_at(core::instant_of(Clock::now())).delay; }
  // Attempts begun beside a first one, or in shadow mode, that would have been.
  std::int64_t hedges() const { return state_.hedges(); }
  // How many of them won.
  std::int64_t wins() const { return state_.wins(); }

  // Its part in a pipeline, which refers to it.
  detail::hedge_stage<Clock> stage() & { return detail::hedge_stage<Clock>(state_); }

 private:
  detail::hedge_state state_;
};

using hedge = basic_hedge<std::chrono::steady_clock>;

}  // namespace dspu::aio
