// The breaker against a model of it: a list of the calls that are out, each knowing the state it was let in
// by.
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/core/breaker_machine.hpp"
#include "dspu/testing/manual_clock.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace dspu {
namespace {

using core::breaker_machine;
using core::circuit_state;
using core::verdict;
using testing::manual_clock;

struct model_call {
  int epoch;  // how many changes of state there had been when it was let in
};

// What the documentation says, written down another way: no generation, no saved count of probes.
struct model {
  core::breaker_options options;
  circuit_state state = circuit_state::closed;
  int epoch = 0;
  std::int64_t failures = 0;
  std::int64_t successes = 0;
  std::int64_t opened_at = 0;
  std::vector<model_call> out{};

  std::int64_t most_probes() const { return options.half_open_max_calls.value_or(options.success_threshold); }
  std::int64_t probes() const {
    if (state != circuit_state::half_open) return 0;
    return std::ranges::count_if(out, [this](const model_call& c) { return c.epoch == epoch; });
  }
  void go(circuit_state next) {
    state = next;
    ++epoch;
  }
  bool enter(std::int64_t now) {
    if (state == circuit_state::open) {
      if (now - opened_at < options.timeout.count()) return false;
      go(circuit_state::half_open);
      successes = 0;
    }
    if (state == circuit_state::half_open && probes() >= most_probes()) return false;
    out.push_back({epoch});
    return true;
  }
  void settle(std::size_t which, verdict v, std::int64_t now) {
    const bool stale = out[which].epoch != epoch;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
    if (stale || v == verdict::ignored) return;
    if (v == verdict::failure) {
      if (state == circuit_state::closed && ++failures < options.failure_threshold) return;
      go(circuit_state::open);
      opened_at = now;
    } else if (state == circuit_state::closed) {
      failures = 0;
    } else if (++successes == options.success_threshold) {
      go(circuit_state::closed);
      failures = successes = 0;
    }
  }
  void reset() {
    go(circuit_state::closed);
    failures = successes = 0;
  }
};

core::breaker_options any_options() {
  core::breaker_options o{.failure_threshold = *rc::gen::inRange<std::int64_t>(1, 5),
                          .success_threshold = *rc::gen::inRange<std::int64_t>(1, 5),
                          .timeout = std::chrono::seconds{*rc::gen::inRange(0, 10)}};
  if (*rc::gen::arbitrary<bool>()) o.half_open_max_calls = *rc::gen::inRange<std::int64_t>(1, 5);
  return o;
}

enum class act { enter, settle, wait, reset };
act any_act() {
  return *rc::gen::weightedElement<act>({{8, act::enter}, {8, act::settle}, {4, act::wait}, {1, act::reset}});
}
verdict any_verdict() {
  return *rc::gen::weightedElement<verdict>(
      {{3, verdict::success}, {4, verdict::failure}, {1, verdict::ignored}});
}
// Anything from a nanosecond to past the expiry, and often exactly up to it.
std::int64_t any_wait(const model& m, std::int64_t now) {
  const std::int64_t expiry = m.opened_at + m.options.timeout.count();
  if (m.state == circuit_state::open && expiry > now && *rc::gen::arbitrary<bool>()) {
    return std::max<std::int64_t>(0, expiry - now - *rc::gen::inRange(0, 2));
  }
  return *rc::gen::inRange<std::int64_t>(0, 12'000'000'000);
}

constexpr int steps = 200;

template <class Subject>
void check_same(const model& m, const Subject& subject) {
  RC_ASSERT(subject.state() == m.state);
  RC_ASSERT(subject.failure_count() == m.failures);
  RC_ASSERT(subject.success_count() == m.successes);
}

bool operator_equal(const breaker_machine& a, const breaker_machine& b) {
  return a.state() == b.state() && a.generation() == b.generation() &&
         a.failure_count() == b.failure_count() && a.success_count() == b.success_count() &&
         a.in_flight() == b.in_flight() && a.open_until() == b.open_until() &&
         a.last_failure_time() == b.last_failure_time();
}

RC_GTEST_PROP(BreakerMachineProperty, BehavesAsItsModel, ()) {
  const auto options = any_options();
  breaker_machine subject(options);
  model m{options};
  std::vector<std::uint64_t> out;
  std::int64_t now = 0;
  for (int i = 0; i < steps; ++i) {
    const core::instant instant{core::duration{now}};
    switch (any_act()) {
      case act::enter: {
        const auto entry = subject.enter(instant);
        RC_ASSERT(entry.admitted == m.enter(now));
        if (entry.admitted) out.push_back(entry.generation);
        if (!entry.admitted && m.state == circuit_state::open) {
          RC_ASSERT(entry.retry_after == core::duration{m.opened_at - now} + options.timeout);
        }
        break;
      }
      case act::settle: {
        if (out.empty()) break;
        const auto which = *rc::gen::inRange<std::size_t>(0, out.size());
        const bool stale = m.out[which].epoch != m.epoch;
        const auto before = subject;
        const auto v = any_verdict();
        subject.settle(out[which], v, instant);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
        m.settle(which, v, now);
        if (stale) RC_ASSERT(operator_equal(before, subject));
        break;
      }
      case act::wait:
        now += any_wait(m, now);
        break;
      case act::reset:
        subject.reset();
        m.reset();
    }
    check_same(m, subject);
    RC_ASSERT(subject.in_flight() == m.probes());
    RC_ASSERT(subject.in_flight() <= m.most_probes());
  }
}

RC_GTEST_PROP(CircuitBreakerProperty, BehavesAsItsModelAndTellsOfEveryChangeInOrder, ()) {
  using breaker = aio::basic_circuit_breaker<manual_clock>;
  const auto options = any_options();
  model m{options};
  circuit_state told = circuit_state::closed;
  const auto listener = [&](circuit_state from, circuit_state to) {
    RC_ASSERT(from == told);
    told = to;
  };
  breaker subject({.failure_threshold = options.failure_threshold,
                   .success_threshold = options.success_threshold,
                   .timeout = options.timeout,
                   .half_open_max_calls = options.half_open_max_calls,
                   .on_state_change = listener});
  std::vector<breaker::permit> out;
  const auto now = [] { return manual_clock::now().time_since_epoch().count(); };
  for (int i = 0; i < steps; ++i) {
    switch (any_act()) {
      case act::enter: {
        auto permit = subject.try_permit();
        RC_ASSERT(static_cast<bool>(permit) == m.enter(now()));
        if (permit) out.push_back(std::move(permit));
        break;
      }
      case act::settle: {
        if (out.empty()) break;
        const auto which = *rc::gen::inRange<std::size_t>(0, out.size());
        const auto v = any_verdict();
        auto permit = std::move(out[which]);
        std::vector<breaker::permit> rest;
        for (std::size_t k = 0; k < out.size(); ++k) {
          if (k != which) rest.push_back(std::move(out[k]));
        }
        out.swap(rest);
        if (v != verdict::ignored) permit.settle(v);  // else it is lost, which must count as ignored
        m.settle(which, v, now());
        break;
      }
      case act::wait:
        manual_clock::advance(std::chrono::nanoseconds{any_wait(m, now())});
        break;
      case act::reset:
        subject.reset();
        m.reset();
    }
    RC_ASSERT(m.probes() <= m.most_probes());
    check_same(m, subject);
    RC_ASSERT(told == m.state);
  }
}

}  // namespace
}  // namespace dspu
