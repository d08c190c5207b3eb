#include "composition/world.hpp"

#include <cmath>

namespace dspu::aio::composition {

namespace {

std::string some(std::int64_t n, const char* what) {
  if (n == 0) return "";
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string in_seconds(duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(d).count());
  return text;
}

std::string word_for(const std::exception_ptr& error) {
  if (test::holds<testing::scripted_failure>(error)) return "failed";
  if (test::holds<async_timeout_error>(error)) return "timed out";
  if (test::holds<deadline_error>(error)) return "no time";
  if (test::holds<circuit_breaker_error>(error)) return "circuit open";
  if (test::holds<queue_full_error>(error)) return "queue full";
  if (test::holds<bulkhead_full_error>(error)) return "bulkhead full";
  if (test::holds<throttled_error>(error)) return "throttled";
  if (test::holds<injected_fault>(error)) return "injected fault";
  return test::is_aborted(error) ? "cancelled" : "?";
}

}  // namespace

const char* name_of(kind k) {
  constexpr const char* names[kinds] = {"timeout",  "retry",    "breaker", "limiter",  "bulkhead",
                                        "throttle", "fallback", "hedge",   "adaptive", "chaos",
                                        "pace"};
  return names[static_cast<std::size_t>(k)];
}

const char* name_of(form f) {
  constexpr const char* names[forms] = {"piped", "nested", "apart", "decorated"};
  return names[static_cast<std::size_t>(f)];
}

std::string policies::report(kind k) {
  switch (k) {
    case kind::timeout:
      return "";
    case kind::retry:
      return some(std::llround(retries - budget.balance(core::instant_of(manual_clock::now()))), "charge");
    case kind::breaker: {
      const auto failures = some(breaker.failure_count(), "failure");
      return breaker.state() == circuit_state::closed ? failures : core::name_of(breaker.state());
    }
    case kind::limiter:
      return some(std::llround(capacity - limiter.tokens()), "token");
    case kind::bulkhead:
      return some(places.in_flight(), "call");
    case kind::throttle: {
      const auto p = std::lround(100 * throttle.rejection_probability());
      return p == 0 ? "" : std::to_string(p) + " %";
    }
    case kind::fallback:
      return some(falls, "fall");
    case kind::hedge:
      return some(twice.hedges(), "hedge");
    case kind::adaptive: {
      const auto inside = some(width.in_flight(), "call");
      return width.limit() == limit || !inside.empty() ? inside : "limit " + std::to_string(width.limit());
    }
    case kind::chaos:
      return some(storm.injected(), "injection");
    case kind::pace: {
      const auto s = pace.statistics();
      const auto counted = some(static_cast<std::int64_t>(s.admitted), "answer");
      return s.refused == 0 ? counted : some(static_cast<std::int64_t>(s.refused), "refusal");
    }
  }
  return "";
}

start pair_of(kind around, kind inside) {
  const auto at = static_cast<std::size_t>(inside);
  switch (around) {
    case kind::timeout:
    case kind::retry:
      return around_timeout_and_retry(around)[at];
    case kind::breaker:
    case kind::limiter:
      return around_breaker_and_limiter(around)[at];
    case kind::throttle:
    case kind::fallback:
      return around_throttle_and_fallback(around)[at];
    case kind::bulkhead:
    case kind::hedge:
    case kind::adaptive:
    case kind::chaos:
    case kind::pace:
      break;
  }
  return around_the_others(around)[at];
}

awaitable<void> world::call(kind around, kind inside) {
  value_ = co_await pair_of(around, inside)(shape, outer, inner, context, op);
}

std::string world::report(kind around, kind inside, const test::task& t) {
  const auto how = !t.done() ? "never ended" : t.succeeded() ? std::to_string(*value_) : word_for(t.error());
  const auto began = op.calls();
  return how + " at " + in_seconds(sim.elapsed()) +
         (began == 0 ? "" : ", " + some(static_cast<int>(began), "call")) + " | " + outer.report(around) +
         " | " + inner.report(inside);
}

std::string world::run(kind around, kind inside) {
  const test::task t(sim, call(around, inside));
  while (!t.done() && sim.step()) {
  }
  return report(around, inside, t);
}

std::string world::run_and_cancel(kind around, kind inside, duration after) {
  test::task t(sim, call(around, inside));
  sim.run_until(after);
  t.cancel();
  while (!t.done() && sim.step()) {
  }
  return report(around, inside, t);
}

}  // namespace dspu::aio::composition
