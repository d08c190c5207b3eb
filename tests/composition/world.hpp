// Two sets of policies, of which a pair is tried: one from the outer set around one of the inner set.
// single_flight is in no pair: it has no stage, only call(key, …).
#pragma once

#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/adaptive_rate.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/chaos.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/hedge.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/retry_budget.hpp"
#include "dspu/aio/throttle.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dspu::aio::composition {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::simulator;

enum class kind { timeout, retry, breaker, limiter, bulkhead, throttle, fallback, hedge, adaptive, chaos, pace };
inline constexpr std::size_t kinds = 11;
const char* name_of(kind k);

// One of each, so set that what they do shows in virtual time.
struct policies {
  static constexpr double capacity = 5;
  static constexpr double retries = 10;

  basic_timeout<manual_clock> timeout{10s};
  retry_budget budget{{.ttl = 60s, .min_retries_per_second = retries / 60, .retries_per_call = 0}};
  basic_retry<manual_clock> retry{{.max_attempts = 3,
                                   .strategy = backoff_strategy::constant,
                                   .base_delay = 1s,
                                   .jitter = jitter::none,
                                   .budget = &budget}};
  basic_circuit_breaker<manual_clock> breaker{
      {.failure_threshold = 4, .success_threshold = 1, .timeout = 60s}};
  // Tokens come so slowly that the few seconds of a test do not show.
  basic_rate_limiter<manual_clock> limiter{{.rate = 1, .per = 1h, .capacity = capacity, .max_waiters = 0}};
  bulkhead places{{.limit = 1, .max_queue = 0}};
  double drawn = 0.95;  // refuses nobody: no probability is above 0.9
  basic_throttle<manual_clock> throttle{{.k = 1, .min_requests = 0, .random = [this] { return drawn; }}};
  basic_hedge<manual_clock> twice{{.delay = 3s}};
  static constexpr std::int64_t limit = 10;
  basic_adaptive_concurrency<manual_clock> width{
      {.algorithm = limit_algorithm::aimd, .initial = limit, .min = 1, .max = limit}};
  basic_chaos<manual_clock> storm{{.latency_rate = 1, .latency_min = 250ms, .latency_max = 250ms, .seed = 1}};
  basic_adaptive_rate<manual_clock> pace{{.max_queue = 0}};
  int falls = 0;
  fallback<std::function<int(const outcome&)>> instead{[this](const outcome&) {
    ++falls;
    return 99;
  }};

  // What it has done or counted: "2 failures", "1 token"; empty if nothing.
  std::string report(kind k);
  // Whether nothing of a call is left in it.
  bool at_rest() {
    return limiter.waiters() == 0 && places.in_flight() == 0 && places.waiting() == 0 &&
           width.in_flight() == 0 && width.waiting() == 0 && pace.statistics().in_flight == 0 &&
           pace.statistics().waiting == 0;
  }
};

// The ways to put one policy around another.
enum class form {
  piped,      // outer | inner
  nested,     // outer.call_in(…, [&](context) { return inner.call_in(context, fn); })
  apart,      // outer.call([&] { return inner.call(fn); }): nothing flows from one to the other
  decorated,  // outer(inner(fn)), which is the same
};
inline constexpr std::size_t forms = 4;
const char* name_of(form f);

struct world {
  simulator sim;
  script op;
  policies outer;
  policies inner;
  form shape = form::piped;
  call_context context;  // what the pair is called in, where the form takes one

  // How it ended, when, how often the operation was begun, and what both report: "7 at 1 s, 1 call | outer |
  // inner".
  std::string run(kind around, kind inside);
  // The same for a caller who gives up after so long.
  std::string run_and_cancel(kind around, kind inside, duration after);

 private:
  awaitable<void> call(kind around, kind inside);
  std::string report(kind around, kind inside, const test::task& t);

  std::optional<int> value_;
};

// Calls the operation through the pair.
using start = awaitable<int> (*)(form how, policies& outer, policies& inner, const call_context& context, script& op);
start pair_of(kind around, kind inside);

template <kind K>
auto& pick(policies& p) {
  if constexpr (K == kind::timeout) return p.timeout;
  if constexpr (K == kind::retry) return p.retry;
  if constexpr (K == kind::breaker) return p.breaker;
  if constexpr (K == kind::limiter) return p.limiter;
  if constexpr (K == kind::bulkhead) return p.places;
  if constexpr (K == kind::throttle) return p.throttle;
  if constexpr (K == kind::fallback) return p.instead;
  if constexpr (K == kind::hedge) return p.twice;
  if constexpr (K == kind::adaptive) return p.width;
  if constexpr (K == kind::chaos) return p.storm;
  if constexpr (K == kind::pace) return p.pace;
}

// The pairs with one kind outside, in the order of the kinds inside; each is compiled in a file of its own.
using row = std::array<start, kinds>;

template <kind Outer, kind Inner>
awaitable<int> through(form how, policies& outer, policies& inner, const call_context& context, script& op) {
  auto& around = pick<Outer>(outer);
  auto& inside = pick<Inner>(inner);
  const auto once = [&op] { return op(); };
  switch (how) {
    case form::piped: {
      const auto piped = around | inside;
      co_return co_await piped.call_in(context, once);
    }
    case form::nested: {
      const auto within = [&](const call_context& c) { return inside.call_in(c, once); };
      co_return co_await around.call_in(context, within);
    }
    case form::apart: {
      const auto within = [&] { return inside.call(once); };
      co_return co_await around.call(within);
    }
    case form::decorated:
      break;
  }
  const auto both = around(inside(once));
  co_return co_await both();
}
template <kind Outer, std::size_t... Inner>
constexpr row row_of(std::index_sequence<Inner...>) {
  return {&through<Outer, static_cast<kind>(Inner)>...};
}
template <kind Outer>
row row_of() {
  return row_of<Outer>(std::make_index_sequence<kinds>{});
}

row around_timeout_and_retry(kind outer);
row around_breaker_and_limiter(kind outer);
row around_throttle_and_fallback(kind outer);
row around_the_others(kind outer);

}  // namespace dspu::aio::composition
