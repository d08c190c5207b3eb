// The circuit breaker's traces: calls one after the other, the state and counts after each, and the
// transitions.
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/testing/simulator.hpp"
#include "traces/replay.hpp"

#include <algorithm>
#include <stdexcept>

namespace dspu::traces {

namespace {

using testing::manual_clock;
using testing::simulator;
using breaker = aio::basic_circuit_breaker<manual_clock>;

struct counted_failure : std::runtime_error {
  counted_failure() : runtime_error("fail") {}
};
struct other_failure : std::logic_error {
  other_failure() : logic_error("ignored") {}
};

std::string name(aio::circuit_state s) {
  switch (s) {
    case aio::circuit_state::closed:
      return "closed";
    case aio::circuit_state::open:
      return "open";
    case aio::circuit_state::half_open:
      return "half_open";
    case aio::circuit_state::isolated:
      return "isolated";
  }
  return "?";
}

struct transition {
  aio::circuit_state from;
  aio::circuit_state to;
  std::chrono::nanoseconds at;
};

// The reference adds up binary fractions of seconds, so that of calls at the very instant of the expiry it
// refuses some. The library counts whole nanoseconds and lets them in. Where the reference refused such a
// call, it is made that little before the expiry instead: how much earlier, or 0 for every other call.
std::chrono::nanoseconds step_back(const json::object& s, const json::object& expected,
                                   const std::vector<transition>& seen, std::chrono::nanoseconds now) {
  constexpr std::chrono::nanoseconds tolerance{1000};
  const bool refused = expected.at("result").as_string() == "rejected";
  if (!refused || seen.empty() || seen.back().to != aio::circuit_state::open) return {};
  const auto past_expiry = now - (seen.back().at + seconds_of(s.at("timeout")));
  if (past_expiry < std::chrono::nanoseconds{0} || past_expiry > tolerance) return {};
  return past_expiry + std::chrono::nanoseconds{1};
}

aio::awaitable<void> operation(std::chrono::nanoseconds takes, std::string outcome) {
  co_await aio::detail::sleep_for<manual_clock>(takes);
  if (outcome == "fail") throw counted_failure();
  if (outcome == "ignored") throw other_failure();
}

aio::awaitable<std::string> make_call(breaker& subject, const json::object& call) {
  const auto takes = seconds_of(call.at("takes"));
  const std::string outcome(call.at("outcome").as_string());
  try {
    co_await subject.call(operation, takes, outcome);
  } catch (const aio::circuit_breaker_error&) {
    co_return "rejected";
  } catch (const counted_failure&) {
    co_return "failed";
  } catch (const other_failure&) {
    co_return "ignored";
  }
  co_return "returned";
}

aio::awaitable<void> make_calls(simulator& sim, breaker& subject, const json::object& s,
                                const std::vector<transition>& seen, comparison& c) {
  const auto& calls = s.at("calls").as_array();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto& call = calls[i].as_object();
    co_await aio::detail::sleep_for<manual_clock>(seconds_of(call.at("at")) - sim.elapsed());
    if (call.at("reset_before").as_bool()) subject.reset();
    const auto& e = s.at("expected").as_array()[i].as_object();
    c.close(place("calls", i, "started_at"), e.at("started_at").to_number<double>(),
            in_seconds(sim.elapsed()));
    const auto earlier = step_back(s, e, seen, sim.elapsed());
    if (earlier > earlier.zero()) c.divergence = "lets-in-at-the-instant-of-expiry";
    manual_clock::advance(-earlier);
    const std::string result = co_await make_call(subject, call);
    manual_clock::advance(earlier);
    c.same(place("calls", i, "result"), e.at("result").as_string(), result);
    c.same(place("calls", i, "state"), e.at("state").as_string(), name(subject.state()));
    c.same(place("calls", i, "failure_count"), e.at("failure_count").as_int64(), subject.failure_count());
    c.same(place("calls", i, "success_count"), e.at("success_count").as_int64(), subject.success_count());
  }
}

void compare_transitions(const json::array& expected, const std::vector<transition>& seen, comparison& c) {
  c.same("transitions.size", static_cast<std::int64_t>(expected.size()),
         static_cast<std::int64_t>(seen.size()));
  for (std::size_t i = 0; i < std::min(expected.size(), seen.size()); ++i) {
    const auto& e = expected[i].as_object();
    c.same(place("transitions", i, "from"), e.at("from").as_string(), name(seen[i].from));
    c.same(place("transitions", i, "to"), e.at("to").as_string(), name(seen[i].to));
    c.close(place("transitions", i, "at"), e.at("at").to_number<double>(), in_seconds(seen[i].at));
  }
}

}  // namespace

comparison replay_circuit_breaker(const json::object& s) {
  comparison c;
  simulator sim;
  std::vector<transition> seen;
  const auto note = [&](aio::circuit_state from, aio::circuit_state to) {
    seen.push_back({from, to, sim.elapsed()});
  };
  breaker subject(
      {.failure_threshold = s.at("failure_threshold").as_int64(),
       .success_threshold = s.at("success_threshold").as_int64(),
       .timeout = seconds_of(s.at("timeout")),
       .classify = s.at("counts_only_fail").as_bool() ? aio::failing_on<counted_failure>() : nullptr,
       .on_state_change = note});
  sim.run(make_calls(sim, subject, s, seen, c));
  compare_transitions(s.at("transitions").as_array(), seen, c);
  return c;
}

}  // namespace dspu::traces
