// The rate limiter's traces: acquire and try_acquire, one after the other or from many tasks.
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/simulator.hpp"
#include "traces/replay.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace dspu::traces {

namespace {

using testing::manual_clock;
using testing::simulator;
using limiter = aio::basic_rate_limiter<manual_clock>;

struct step {
  std::chrono::nanoseconds at;
  bool tries;
  double tokens;
};

struct answer {
  std::chrono::nanoseconds started_at{0};
  std::string kind = "nothing";  // granted | ok | refused | invalid_argument
  double granted_at = 0;
  double tokens_left = 0;
};

struct scenario_run {
  simulator sim;
  limiter subject;
  std::vector<step> steps;
  std::vector<answer> answers;

  explicit scenario_run(const json::object& s)
      : subject({.rate = s.at("rate").to_number<double>(),
                 .capacity = s.at("capacity").is_null() ? std::optional<double>()
                                                        : s.at("capacity").to_number<double>(),
                 .wake_interval = std::chrono::nanoseconds{0}}) {
    for (const auto& value : s.at("ops").as_array()) {
      const auto& op = value.as_object();
      steps.push_back({seconds_of(op.at("at")), op.at("op").as_string() == "try_acquire",
                       op.at("tokens").to_number<double>()});
    }
    answers.resize(steps.size());
  }

  aio::awaitable<void> perform(std::size_t i) {
    answer& a = answers[i];
    a.started_at = sim.elapsed();
    try {
      if (steps[i].tries) {
        a.kind = subject.try_acquire(steps[i].tokens) ? "ok" : "refused";
        a.tokens_left = subject.tokens();
      } else {
        co_await subject.acquire(steps[i].tokens);
        a.kind = "granted";
        a.granted_at = in_seconds(sim.elapsed());
      }
    } catch (const std::invalid_argument&) {
      a.kind = "invalid_argument";
    }
  }

  // `order` gives the steps' numbers; those of one instant arrive in that order.
  aio::awaitable<void> arrive(std::vector<std::size_t> order, bool one_after_the_other) {
    for (const auto i : order) {
      co_await aio::detail::sleep_for<manual_clock>(steps[i].at - sim.elapsed());
      if (one_after_the_other) {
        co_await perform(i);
      } else {
        sim.spawn(perform(i));
      }
    }
  }
};

std::string expected_kind(const json::object& e) {
  if (e.contains("error")) return std::string(e.at("error").as_string());
  if (e.contains("granted_at")) return "granted";
  return e.at("ok").as_bool() ? "ok" : "refused";
}

comparison compare(const json::object& s, const scenario_run& run) {
  comparison c;
  const auto& expected = s.at("expected").as_array();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& e = expected[i].as_object();
    const answer& a = run.answers[i];
    c.same(place("ops", i, "outcome"), expected_kind(e), a.kind);
    if (const auto* t = e.if_contains("granted_at")) {
      c.close(place("ops", i, "granted_at"), t->to_number<double>(), a.granted_at);
    }
    if (const auto* t = e.if_contains("started_at")) {
      c.close(place("ops", i, "started_at"), t->to_number<double>(), in_seconds(a.started_at));
    }
    if (const auto* t =
            e.if_contains("tokens_left")) {  // what a microsecond's rate makes is within the tolerance
      c.close(place("ops", i, "tokens_left"), t->to_number<double>(), a.tokens_left,
              1e-6 * std::max(1.0, run.subject.rate()));
    }
  }
  return c;
}

comparison replay_in(std::vector<std::size_t> order, const json::object& s) {
  scenario_run run(s);
  run.sim.spawn(run.arrive(std::move(order), s.at("arrivals").as_string() == "sequential"));
  run.sim.run();
  return compare(s, run);
}

// Arrivals of one instant in the order in which the reference served them.
std::vector<std::size_t> order_served(const json::object& s, std::vector<std::size_t> order) {
  const auto& ops = s.at("ops").as_array();
  const auto& expected = s.at("expected").as_array();
  const auto key = [&](std::size_t i) {
    const auto* granted = expected[i].as_object().if_contains("granted_at");
    return std::tuple(ops[i].at("at").to_number<double>(), granted ? granted->to_number<double>() : 0, i);
  };
  std::ranges::sort(order, {}, key);
  return order;
}

}  // namespace

comparison replay_rate_limiter(const json::object& s) {
  std::vector<std::size_t> in_line(s.at("ops").as_array().size());
  std::iota(in_line.begin(), in_line.end(), std::size_t{0});
  auto plain = replay_in(in_line, s);
  if (plain.holds() || s.at("arrivals").as_string() == "sequential") return plain;

  // The reference takes up arrivals of one instant in the order of its event loop's heap of timers, which is
  // not stable. The library is first come, first served; so told the heap's order, it must agree in
  // everything.
  auto reordered = replay_in(order_served(s, in_line), s);
  if (!reordered.holds()) return plain;
  reordered.divergence = "first-come-first-served-within-an-instant";
  return reordered;
}

}  // namespace dspu::traces
