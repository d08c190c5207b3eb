// The breaker against a model of it: a list of the calls that are out, each knowing the state it was let in
// by.
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/core/breaker_machine.hpp"
#include "dspu/testing/manual_clock.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace dspu {
namespace {

using core::breaker_machine;
using core::circuit_state;
using core::verdict;
using testing::manual_clock;

struct model_call {
  int epoch;             // how many changes of state there had been when it was let in; -1: it only watches
  std::int64_t started;
};
struct model_result {
  std::int64_t at;
  bool failed;
  bool slow;
};

// What the documentation says, written down another way: no generation, no saved sums, no saved count of probes.
struct model {
  core::breaker_options options;
  circuit_state state = circuit_state::closed;
  int epoch = 0;
  std::int64_t failures = 0;
  std::int64_t successes = 0;
  std::int64_t open_until = 0;
  std::int64_t opened_at = 0;
  std::int64_t named = 0;
  int reopenings = 0;
  std::int64_t refused = 0;
  std::vector<model_call> out{};
  std::vector<model_result> results{};  // since it was closed

  std::int64_t most_probes() const {
    const auto most = options.half_open_max_calls.value_or(options.success_threshold);
    if (!options.half_open_ramp) return most;
    std::int64_t places = 1;
    for (auto left = successes; left >= places; places *= 2) left -= places;
    return std::min(most, places);
  }
  bool lost(const model_call& c, std::int64_t now) const {
    return options.probe_timeout && now - c.started >= options.probe_timeout->count();
  }
  std::int64_t probes(std::int64_t now) const {
    if (state != circuit_state::half_open) return 0;
    return std::ranges::count_if(out, [&](const model_call& c) { return c.epoch == epoch && !lost(c, now); });
  }
  void go(circuit_state next) {
    state = next;
    ++epoch;
    if (next != circuit_state::closed) return;
    failures = successes = reopenings = 0;
    results.clear();
  }
  std::int64_t break_time() const {
    auto length = options.timeout.count();
    const auto most = std::max(length, options.max_timeout.count());
    for (int i = 0; i < reopenings && length < most; ++i) {
      length = static_cast<std::int64_t>(static_cast<double>(length) * options.timeout_multiplier);
      if (options.timeout_multiplier == 1) break;
    }
    return std::min(length, most);
  }
  void open(std::int64_t now, std::int64_t length, std::int64_t wish) {
    go(circuit_state::open);
    opened_at = now;
    named = now + std::min(wish, options.max_retry_after.count());
    open_until = std::max(now + length, named);
  }
  bool enter(std::int64_t now) {
    if (state == circuit_state::open && now >= open_until) {
      go(circuit_state::half_open);
      successes = 0;
    }
    if (state == circuit_state::closed || (state == circuit_state::half_open && probes(now) < most_probes())) {
      out.push_back({epoch, now});
      return true;
    }
    ++refused;
    if (options.metrics_only) out.push_back({-1, now});
    return options.metrics_only;
  }
  core::outcome_counts window(std::int64_t now) const {
    core::outcome_counts sum;
    const auto& w = options.window;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const auto& r = results[i];
      if (w.calls && results.size() - i > static_cast<std::size_t>(*w.calls)) continue;
      if (w.time) {
        const auto width = (w.time->count() + w.buckets - 1) / w.buckets;
        if (r.at / width <= now / width - w.buckets) continue;
      }
      sum += {1, r.failed ? 1 : 0, r.slow ? 1 : 0};
    }
    return sum;
  }
  bool tripped(std::int64_t now) const {
    if (options.failure_threshold > 0 && failures >= options.failure_threshold) return true;
    const auto& w = options.window;
    if (!w.set()) return false;
    const auto seen = window(now);
    const auto enough = w.calls ? std::min(*w.calls, w.min_calls) : w.min_calls;
    if (seen.calls < enough) return false;
    // Rates are quarters here, so these products are exact.
    const auto reaches = [&](std::int64_t n, double rate) { return 4 * n >= seen.calls * std::lround(4 * rate); };
    return reaches(seen.failures, w.failure_rate) || (w.slow_call && reaches(seen.slow, w.slow_rate));
  }
  void settle(std::size_t which, verdict v, std::int64_t now, std::int64_t wish = 0) {
    const auto call = out[which];
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
    if (call.epoch != epoch || v == verdict::ignored) return;
    const bool failed = v == verdict::failure;
    const bool slow = options.window.slow_call && now - call.started > options.window.slow_call->count();
    if (!failed) wish = 0;
    if (state == circuit_state::closed) {
      failures = failed ? failures + 1 : 0;
      if (options.window.set()) results.push_back({now, failed, slow});
      if (tripped(now)) {
        open(now, break_time(), wish);
      } else if (wish > 0 && options.max_retry_after.count() > 0) {
        open(now, 0, wish);
      }
    } else if (lost(call, now)) {
      return;
    } else if (failed || slow) {
      ++reopenings;
      open(now, break_time(), wish);
    } else if (++successes == options.success_threshold) {
      go(circuit_state::closed);
    }
  }
  void reset() { go(circuit_state::closed); }
  void close() {
    if (state != circuit_state::closed) reset();
  }
  void isolate() {
    if (state != circuit_state::isolated) go(circuit_state::isolated);
  }
  void force_open(std::int64_t until) {
    if (state == circuit_state::isolated) return;
    if (state != circuit_state::open) go(circuit_state::open);
    open_until = opened_at = named = until;
  }
  void change_timeout(core::duration timeout) {
    options.timeout = timeout;
    open_until = std::min(open_until, std::max(opened_at + break_time(), named));
  }
};

bool any_bool() { return *rc::gen::arbitrary<bool>(); }
core::duration any_seconds(int from, int to) { return std::chrono::seconds{*rc::gen::inRange(from, to)}; }
double any_rate() { return 0.25 * *rc::gen::inRange(1, 5); }

core::breaker_window any_window() {
  core::breaker_window w{.buckets = *rc::gen::inRange<std::int64_t>(1, 6),
                         .min_calls = *rc::gen::inRange<std::int64_t>(1, 6),
                         .failure_rate = any_rate(),
                         .slow_rate = any_rate()};
  if (any_bool()) {
    w.calls = *rc::gen::inRange<std::int64_t>(1, 8);
  } else {
    w.time = any_seconds(1, 30);
  }
  if (any_bool()) w.slow_call = any_seconds(0, 6);
  return w;
}

core::breaker_options any_options() {
  core::breaker_options o{.failure_threshold = *rc::gen::inRange<std::int64_t>(1, 5),
                          .success_threshold = *rc::gen::inRange<std::int64_t>(1, 5),
                          .timeout = any_seconds(0, 10)};
  if (any_bool()) o.half_open_max_calls = *rc::gen::inRange<std::int64_t>(1, 5);
  if (any_bool()) return o;
  if (any_bool()) {
    o.window = any_window();
    if (any_bool()) o.failure_threshold = 0;
  }
  if (any_bool()) {
    o.timeout_multiplier = 2;
    o.max_timeout = any_seconds(1, 30);
  }
  o.half_open_ramp = any_bool();
  if (any_bool()) o.probe_timeout = any_seconds(1, 10);
  o.max_retry_after = any_seconds(0, 20);
  o.metrics_only = *rc::gen::inRange(0, 5) == 0;
  return o;
}

enum class act { enter, settle, wait, reset, close, isolate, force_open, change_timeout };
act any_act() {
  return *rc::gen::weightedElement<act>({{16, act::enter},
                                         {16, act::settle},
                                         {8, act::wait},
                                         {1, act::reset},
                                         {1, act::close},
                                         {1, act::isolate},
                                         {1, act::force_open},
                                         {1, act::change_timeout}});
}
verdict any_verdict() {
  return *rc::gen::weightedElement<verdict>(
      {{3, verdict::success}, {4, verdict::failure}, {1, verdict::ignored}});
}
// What a failure asks for; mostly nothing.
core::duration any_wish() { return *rc::gen::inRange(0, 10) == 0 ? any_seconds(1, 30) : core::duration{0}; }
// Anything from a nanosecond to past the expiry, and often exactly up to it.
std::int64_t any_wait(const model& m, std::int64_t now) {
  if (m.state == circuit_state::open && m.open_until > now && any_bool()) {
    return std::max<std::int64_t>(0, m.open_until - now - *rc::gen::inRange(0, 2));
  }
  if (m.options.probe_timeout && !m.out.empty() && any_bool()) {  // up to a probe's being lost
    const auto lost_at = m.out.back().started + m.options.probe_timeout->count();
    return std::max<std::int64_t>(0, lost_at - now - *rc::gen::inRange(0, 2));
  }
  if (any_bool()) return any_seconds(0, 12).count();  // onto the edges of buckets
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
         a.last_failure_time() == b.last_failure_time() &&
         a.statistics({}).window == b.statistics({}).window;
}

RC_GTEST_PROP(BreakerMachineProperty, BehavesAsItsModel, ()) {
  const auto options = any_options();
  breaker_machine subject(options);
  model m{options};
  std::vector<std::pair<std::uint64_t, core::instant>> out;
  std::int64_t now = 0;
  for (int i = 0; i < steps; ++i) {
    const core::instant instant{core::duration{now}};
    switch (any_act()) {
      case act::enter: {
        const auto entry = subject.enter(instant);
        RC_ASSERT(entry.admitted == m.enter(now));
        if (entry.admitted) out.emplace_back(entry.generation, instant);
        if (!entry.admitted && m.state == circuit_state::open) {
          RC_ASSERT(entry.retry_after == core::duration{m.open_until - now});
        }
        break;
      }
      case act::settle: {
        if (out.empty()) break;
        const auto which = *rc::gen::inRange<std::size_t>(0, out.size());
        const bool stale = m.out[which].epoch != m.epoch;
        const auto before = subject;
        const auto v = any_verdict();
        const auto wish = any_wish();
        const auto [generation, started] = out[which];
        subject.settle(
            {.generation = generation, .v = v, .started = started, .now = instant, .retry_after = wish});
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
        m.settle(which, v, now, wish.count());
        if (stale) RC_ASSERT(operator_equal(before, subject));
        break;
      }
      case act::wait:
        now += any_wait(m, now);
        break;
      case act::reset:
        subject.reset();
        m.reset();
        break;
      case act::close:
        subject.close();
        m.close();
        break;
      case act::isolate:
        subject.isolate();
        m.isolate();
        break;
      case act::force_open: {
        const auto length = any_seconds(0, 10);
        subject.force_open(instant + length);
        m.force_open(now + length.count());
        break;
      }
      case act::change_timeout: {
        auto changed = subject.options();
        changed.timeout = any_seconds(0, 10);
        subject.reconfigure(changed);
        m.change_timeout(changed.timeout);
      }
    }
    check_same(m, subject);
    const auto seen = subject.statistics(core::instant{core::duration{now}});
    RC_ASSERT(seen.window == m.window(now));
    RC_ASSERT(seen.refused == m.refused);
    RC_ASSERT(seen.reopenings == m.reopenings);
    // The machine learns of a lost probe when it is next asked.
    RC_ASSERT(subject.in_flight() >= m.probes(now));
    RC_ASSERT(m.options.probe_timeout || subject.in_flight() == m.probes(now));
    RC_ASSERT(m.probes(now) <= m.options.most_probes());
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
  breaker subject(aio::detail::user_options(options, {.on_state_change = listener}));
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
        const auto wish = any_wish();
        if (v != verdict::ignored) permit.settle(v, wish);  // else it is lost, which must count as ignored
        m.settle(which, v, now(), wish.count());
        break;
      }
      case act::wait:
        manual_clock::advance(std::chrono::nanoseconds{any_wait(m, now())});
        break;
      case act::reset:
        subject.reset();
        m.reset();
        break;
      case act::close:
        subject.close();
        m.close();
        break;
      case act::isolate:
        subject.isolate();
        m.isolate();
        break;
      case act::force_open: {
        const auto length = any_seconds(0, 10);
        subject.open_for(length);
        m.force_open(now() + length.count());
        break;
      }
      case act::change_timeout: {
        auto changed = subject.options();
        changed.timeout = any_seconds(0, 10);
        subject.reconfigure(changed);
        m.change_timeout(changed.timeout);
      }
    }
    check_same(m, subject);
    RC_ASSERT(told == m.state);
    RC_ASSERT(subject.statistics().refused == m.refused);
  }
}

}  // namespace
}  // namespace dspu
