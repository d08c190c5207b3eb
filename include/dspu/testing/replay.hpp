// replay: sends the calls of a trace (aio/recorder.hpp) through another pipeline, in virtual time. What would
// a failure rate of 30 % have done, five attempts 100 ms apart, or another rate?
//
//   const aio::trace recorded = aio::read_trace(file);
//   testing::simulator sim;
//   aio::basic_circuit_breaker<manual_clock> breaker{{.failure_threshold = 0, .window = {.time = 30s,
//   .failure_rate = 0.3}}}; const auto what_if = testing::replay(sim, recorded,
//   aio::basic_retry<manual_clock>{{.max_attempts = 5}} | breaker); std::puts(compare(summarize(recorded),
//   summarize(what_if.trace)).c_str());
//
// Each call begins when it began, and goes through the real policies. What its attempts come to, in this
// order:
//
//   1. An attempt that starts within `tolerance` of the same call's recorded attempt of the same number takes
//   as long as
//      that, and ends like it: as_recorded. So the configuration that was recorded gives what was recorded.
//   2. Any other takes after one of the `neighbours` attempts of that pipeline's calls that started nearest
//   in time, drawn
//      at random: assumed. The server is taken to be as healthy for it as it was for others at that time.
//   3. One that a timeout cut short fails just after the instant at which it was cut, unless a shorter
//   timeout cuts it:
//      cut_short. It might have come to more in the end; nobody knows.
//   4. A call that its caller cancelled is cancelled after the same time, unless it has ended by then.
//
// So a replay tells what the policies would have done to these calls, not what the server would have done had
// it got more or fewer of them, and where the recorded breaker was open it knows of the server only by what
// came before and after. Look at `assumed` to see how much rests on that.
//
// The result of an attempt is an int, and failures are thrown: replayed_failure; a pipeline's classifiers see
// those. Policies must be of testing::manual_clock, and made after the simulator; for another replay on it,
// make new ones. Deterministic for a seed, if the policies are (jitter none, or a random source of their
// own). Not thread-safe.
#pragma once

#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/trace.hpp"
#include "dspu/testing/manual_clock.hpp"
#include "dspu/testing/simulator.hpp"

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace dspu::testing {

struct replay_options {
  // At least 0; 1.
  core::duration tolerance = std::chrono::seconds{1};
  // 2. At least 1. With 1 it is the nearest, and a retry soon after a failure fails as that did.
  std::size_t neighbours = 20;
  // What is drawn starts from it.
  std::uint64_t seed = 1;
};

struct replay_result {
  aio::trace trace;  // on the recorded clock
  std::int64_t as_recorded = 0;
  std::int64_t assumed = 0;
  std::int64_t cut_short = 0;  // of these, that took after one that a timeout had cut
};

// What a failed attempt throws.
class replayed_failure : public std::runtime_error {
 public:
  explicit replayed_failure(aio::ending_word how) : std::runtime_error("replayed failure"), how_(how) {}
  // As recorded: failure, ignored or refused.
  aio::ending_word how() const noexcept { return how_; }

 private:
  aio::ending_word how_;
};

// For the policies of the replay, where the recorded ones ignored some outcomes: ignores the same.
core::verdict replayed_verdict(const aio::outcome& o);

namespace detail {

using replayed_operation = std::function<aio::awaitable<int>()>;
// Starts a call through the pipeline under test, under that name.
using replayed_pipeline =
    std::function<aio::awaitable<int>(aio::observer&, const std::string&, replayed_operation)>;

replay_result replay(simulator& sim, const aio::trace& recorded, const replayed_pipeline& pipeline,
                     const replay_options& options);

// As far as the type tells.
template <class Pipeline>
inline constexpr bool in_virtual_time = true;
template <class... Stages>
inline constexpr bool in_virtual_time<aio::pipeline<Stages...>> =
    std::is_same_v<typename decltype(aio::detail::first_clock<Stages...>())::type, manual_clock>;

}  // namespace detail

// `pipeline` is a pipeline or an any_policy.
// Throws: std::invalid_argument naming the option, its value and its range, or where the trace holds calls,
// but no attempt to go by, or times beyond 100 years; simulation_stuck if a call can never end.
template <class Pipeline>
replay_result replay(simulator& sim, const aio::trace& recorded, const Pipeline& pipeline,
                     const replay_options& options = {}) {
  static_assert(detail::in_virtual_time<Pipeline>,
                "a replay takes place in virtual time: it needs a policy of testing::manual_clock");
  const auto start = [&pipeline](aio::observer& o, const std::string& name, detail::replayed_operation op) {
    return pipeline.observed_by(o, name, replayed_verdict).call(std::move(op));
  };
  return detail::replay(sim, recorded, start, options);
}

}  // namespace dspu::testing
