// The scenarios: every public operation, and nests of them.
#include "cancellation/scenarios.hpp"

#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/fallback.hpp"
#include "dspu/aio/generator.hpp"
#include "dspu/aio/iter_over_async.hpp"
#include "dspu/aio/log_lines.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/recorder.hpp"
#include "dspu/aio/run_async.hpp"
#include "dspu/aio/sync_to_async.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <ranges>

namespace dspu::aio::proof {
namespace {

// Named: temporaries of aggregates are not safe in a co_await with GCC 12.
constexpr gather_options two{.limit = 2};
constexpr gather_options three{.limit = 3};
constexpr gather_options four{.limit = 4};

template <class T>
awaitable<void> drop(awaitable<T> op) {
  co_await std::move(op);
}
template <class T>
awaitable<void> drop_failure(awaitable<T> op) {
  try {
    co_await std::move(op);
  } catch (const testing::scripted_failure&) {
  } catch (const error&) {
  }
}

// Operations as the policies take them.
auto works(world& w) {
  return [&w] { return w.work(); };
}
auto fails(world& w) {
  return [&w] { return w.failing(); };
}
auto pays(world& w) {
  return [&w] { return w.paid_work(); };
}
auto flaky(world& w, int& failures) {
  return [&w, &failures] { return w.flaky(failures); };
}
std::vector<awaitable<int>> some(world& w, int n) {
  std::vector<awaitable<int>> ops;
  for (int i = 1; i <= n; ++i) ops.push_back(w.work(1s * i));
  return ops;
}
void line_of_four(world& w) {
  for (int i = 0; i < 4; ++i) w.queue_up(world::comes::at_once);
}

awaitable<void> lead_a_line(world& w) {
  for (int i = 0; i < 3; ++i) w.queue_up(world::comes::in_a_moment);  // once this waits
  co_await w.token(5);
}
awaitable<void> acquire_by_token(world& w) {
  co_await w.tokens.async_acquire(2, asio::use_awaitable);
  w.got(2);
}
// The tokens that come meanwhile: the operation completes by post, and can be destroyed on its way.
awaitable<void> acquire_by_token_when_ready(world& w) {
  co_await w.work(3s);
  auto ready = w.tokens.async_acquire(2, asio::use_awaitable);
  co_await std::move(ready);
  w.got(2);
}
acquire_options within(world& w, duration d) { return {.deadline = core::instant_of(w.sim->now() + d)}; }
// It can be met at first; then the line is planned anew, and cannot.
awaitable<void> acquire_until_too_late(world& w) {
  const auto bounded = within(w, 4s);
  w.sim->at(2s, [&w] {
    w.got(static_cast<int>(w.tokens.tokens()));  // the drain has them
    w.tokens.drain();
  });
  co_await drop_failure(w.token(3, bounded));
}
awaitable<void> acquire_through_changes(world& w) {
  w.sim->at(2s, [&w] { w.tokens.set_rate(1); });
  w.sim->at(3s, [&w] { w.tokens.set_capacity(1000); });
  co_await w.token(5);
}
awaitable<void> acquire_by_priority(world& w) {
  const acquire_options first{.priority = priority::high};
  const acquire_options last{.priority = priority::low};
  co_await w.token(2, first);
  co_await w.token(1, last);
}
// Held, cancelled, used: each while others wait.
awaitable<void> reserve_and_go(world& w) {
  auto dropped = w.tokens.reserve(2);
  auto used = w.tokens.reserve(1);
  co_await w.token(1);
  dropped.cancel();
  co_await w.token(1);
  if (used.use()) w.got(1);
}
awaitable<void> reserve_in_front_of_a_line(world& w) {
  auto dropped = w.tokens.reserve(3);
  for (int i = 0; i < 3; ++i) w.queue_up(world::comes::at_once);
  co_await w.work(1s);
  dropped.cancel();
  co_await w.token(1);
}
awaitable<void> call_twice(breaker& b, world& w) {
  const auto op = works(w);
  for (int i = 0; i < 2; ++i) co_await drop_failure(b.call(op));
}
awaitable<void> fail_twice(breaker& b, world& w) {
  const auto op = fails(w);
  for (int i = 0; i < 2; ++i) co_await drop_failure(b.call(op));
}
awaitable<void> retry_until_it_works(const retrier& policy, world& w) {
  int failures = 2;
  const auto op = flaky(w, failures);
  co_await policy.call(op);
}
awaitable<void> retry_in_vain(const retrier& policy, world& w) {
  const auto op = fails(w);
  co_await drop_failure(policy.call(op));
}

// retry over breaker over limiter over timeout
awaitable<int> pipeline(world& w, breaker& b, int failures) {
  int left = failures;
  const auto bounded = [&w, &left] {
    w.got(1);
    return run_with_timeout<manual_clock>(w.flaky(left), 2s);
  };
  const auto limited = [&w, bounded] { return w.tokens.call(bounded); };
  const auto broken = [&b, limited] { return b.call(limited); };
  co_return co_await w.again_async.call(broken);
}
// The same, erased, in one coroutine.
awaitable<void> any_policy_of_those(world& w) {
  int left = 1;
  const any_policy row = w.again_async | w.closed.subject | w.tokens | basic_timeout<manual_clock>(2s);
  const auto paid = [&w, &left] {
    w.got(1);
    return w.flaky(left);
  };
  auto running = row.call(paid);
  co_await std::move(running);
}
// A static pipeline that tells all it does, through states of the breaker.
awaitable<void> observed_pipeline(world& w) {
  int left = 1;
  recorder tape([](std::string_view) {});
  log_lines log([](std::string_view) {}, {.at_least = severity::debug});
  observers both(tape, log);
  const auto row = (w.again_async | w.half.subject | w.tokens | basic_timeout<manual_clock>(2s)).observed_by(both, "nest");
  const auto paid = [&w, &left] {
    w.got(1);
    return w.flaky(left);
  };
  auto running = row.call(paid);
  co_await drop_failure(std::move(running));
}
awaitable<int> shielded_payment(world& w) {
  auto safe = w.scope.run(w.token());
  co_return co_await run_with_timeout<manual_clock>(std::move(safe), 5s);
}
awaitable<void> shield_then_join(world& w) {
  co_await drop_failure(run_with_timeout<manual_clock>(w.scope.run(w.work(3s)), 1s));
  co_await w.scope.join();
}
awaitable<void> shield_then_join_in_time(world& w) {
  co_await drop_failure(run_with_timeout<manual_clock>(w.scope.run(w.work(3s)), 1s));
  co_await w.scope.join<manual_clock>(1s);
  co_await w.scope.join<manual_clock>(5s);
}
awaitable<void> shield_a_failure(world& w) { co_await drop_failure(w.scope.run(w.failing())); }
awaitable<void> map_some(world& w) {
  const auto one = [&w](int i) { return w.work(1s + 250ms * (i % 3)); };
  co_await map_with_limit(std::views::iota(0, 7), one, three);
}
awaitable<void> map_results(world& w) {
  const auto one = [&w](int i) { return i % 2 == 0 ? w.work() : w.failing(); };
  co_await map_with_limit(std::views::iota(0, 5), one, two, return_exceptions);
}
awaitable<void> map_until_one_fails(world& w) {
  const auto one = [&w](int i) { return i == 4 ? w.failing() : w.work(2s); };
  co_await drop_failure(map_with_limit(std::views::iota(0, 9), one, three));
}
awaitable<void> map_tokens(world& w) {
  const auto one = [&w](int i) { return w.token(1 + i % 2); };
  co_await map_with_limit(std::views::iota(0, 6), one, four);
}
awaitable<void> map_pipelines(world& w) {
  const auto one = [&w](int i) { return pipeline(w, w.closed.subject, i == 1 ? 1 : 0); };
  co_await drop_failure(map_with_limit(std::views::iota(0, 4), one, two));
}
awaitable<void> map_shields(world& w) {
  const auto one = [&w](int) { return w.scope.run(w.work()); };
  co_await map_with_limit(std::views::iota(0, 4), one, two);
}
awaitable<void> gather_callables(world& w) {
  const std::vector<std::function<awaitable<int>()>> calls(4, works(w));
  co_await gather_with_limit(calls, three);
}
awaitable<void> gather_nested(world& w) {
  auto inner = gather_with_limit(some(w, 3), two);
  co_await gather_with_limit(two, std::move(inner), w.work(), drop_failure(w.failing(5s)));
}
awaitable<void> retry_around_gather(world& w) {
  int failures = 1;
  const auto both = [&w, &failures] { return gather_with_limit(two, w.work(2s), w.flaky(failures)); };
  co_await w.again.call(both);
}
awaitable<void> timeout_around_retry(world& w) {
  const auto op = fails(w);
  co_await drop_failure(run_with_timeout<manual_clock>(w.again_async.call(op), 5s));
}
awaitable<void> timeouts_nested(world& w) {
  auto inner = run_with_timeout<manual_clock>(w.work(9s), 3s);
  co_await drop_failure(run_with_timeout<manual_clock>(std::move(inner), 4s));
}

// Each attempt of a hedge is told apart by the context.
auto slow_at_first(world& w) {
  return [&w](const call_context& c) { return c.hedge == 0 ? w.work(9s) : w.work(1s); };
}
auto failing_at_first(world& w) {
  return [&w](const call_context& c) { return c.hedge == 0 ? w.failing(700ms) : w.work(1s); };
}
auto stubborn_at_first(world& w) {
  return [&w](const call_context& c) { return c.hedge == 0 ? w.stubborn(4s) : w.work(1s); };
}
// One token for all attempts of a hedge.
auto pays_once(world& w) {
  return [&w](const call_context& c) {
    if (c.hedge == 0) w.got(1);
    return w.work(2s);
  };
}
template <class P, class F>
awaitable<void> through(P p, F f) {
  co_await drop_failure(p.call(std::move(f)));
}
awaitable<void> hedge_twice(world& w) {
  const auto op = slow_at_first(w);
  for (int i = 0; i < 2; ++i) co_await drop(w.thrice.call(op));
}
awaitable<void> occupy(world& w, duration d) {
  const auto op = [d] { return detail::sleep_for<manual_clock>(d); };
  co_await w.narrow.call(op);
}
void full_bulkhead(world& w) {
  for (int i = 0; i < 3; ++i) w.bystanders.emplace_back(*w.sim, occupy(w, 1s * (i + 1)));
}
void paced(world& w) {
  const auto nap = [] { return detail::sleep_for<manual_clock>(100ms); };
  for (int i = 0; i < 3; ++i) w.bystanders.emplace_back(*w.sim, w.pace.call(nap));
}
void full_width(world& w) {
  const auto nap = [] { return detail::sleep_for<manual_clock>(1s); };
  for (int i = 0; i < 4; ++i) w.bystanders.emplace_back(*w.sim, w.width.call(nap));
}
awaitable<int> nap() {
  auto sleeping = detail::sleep_for<manual_clock>(2s);
  co_await std::move(sleeping);
  co_return 1;
}
awaitable<void> share_a_nap(world& w) { return drop(w.once.call(1, nap)); }
void run_under_way(world& w) { w.bystanders.emplace_back(*w.sim, share_a_nap(w)); }
awaitable<void> lead_a_flight(world& w) {
  const auto op = [&w] {
    for (int i = 0; i < 2; ++i) w.bystanders.emplace_back(*w.sim, share_a_nap(w));
    return w.work(2s);
  };
  co_await w.once.call(1, op);
}
auto or_else(world& w) {
  return fallback([&w](const outcome&) { return w.work(500ms); });
}

// A pool on the simulator's own loop, so that each call goes the same way every time. What is queued on it is
// called after some steps (not after some time: that stands still while a function is out).
struct slow_pool {
  asio::io_context* loop;

  bool operator==(const slow_pool&) const = default;
  asio::execution_context& query(asio::execution::context_t) const { return *loop; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) {
    return asio::execution::blocking.never;
  }
  template <class F>
  void execute(F f) const {
    hop(5, *loop, std::move(f));
  }

 private:
  template <class F>
  static void hop(int more, asio::io_context& loop, F f) {
    asio::post(loop, [more, &loop, f = std::move(f)]() mutable {
      more > 0 ? hop(more - 1, loop, std::move(f)) : f();
    });
  }
};
slow_pool pool_of(world& w) { return {&w.sim->context()}; }

// A function that shows, by what it holds, whether it was destroyed.
auto counted_function(world& w) {
  return [&w, held = std::make_shared<counted>(w.frames)] {
    if (w.ended) w.complain("a function was called after the end");
    return 1;
  };
}
awaitable<void> call_functions(world& w) {
  for (int i = 0; i < 3; ++i) {
    auto call = sync_to_async(pool_of(w), counted_function(w));
    co_await std::move(call);
  }
}
awaitable<void> call_in_vain(world& w) {
  const auto throws = [held = std::make_shared<counted>(w.frames)] { throw testing::scripted_failure(); };
  auto call = sync_to_async(pool_of(w), throws);
  co_await drop_failure(std::move(call));
}
// A thread of its own does it: time stands still meanwhile, though where the function is at each point is
// open.
awaitable<void> call_on_a_pool(world& w) {
  auto call = sync_to_async([] { return 1; });
  co_await std::move(call);
  co_await w.work();
}
awaitable<void> calls_under_gather(world& w) {
  std::vector<awaitable<int>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(sync_to_async(pool_of(w), counted_function(w)));
  co_await gather_with_limit(std::move(calls), two);
}
generator<int> counting(world& w, int n) {
  const counted here(w.frames);
  for (int i = 0; i < n; ++i) {
    co_await w.work();
    co_yield i;
  }
}
awaitable<void> consume(world& w) {
  auto items = counting(w, 3);
  while (const auto item = co_await items.next()) co_await w.token();
}

const scenario calls[] = {
    {"sync_to_async", call_functions},
    {"sync_to_async in vain", call_in_vain},
    {"sync_to_async on a real pool", call_on_a_pool},
    {"sync_to_async under gather", calls_under_gather},
    {"generator", consume},
};
const blocking_scenario blocked_threads[] = {
    {"run_async",
     [](world& w, asio::io_context& loop, std::stop_token stop) { run_async(w.token(3), loop, stop); }},
    {"run_async of a callable",
     [](world& w, asio::io_context& loop, std::stop_token stop) {
       run_async([&w] { return pipeline(w, w.closed.subject, 1); }, loop, stop);
     }},
    {"run_async of gather",
     [](world& w, asio::io_context& loop, std::stop_token stop) {
       run_async(gather_with_limit(some(w, 4), two), loop, stop);
     }},
    {"iter_over_async",
     [](world& w, asio::io_context& loop, std::stop_token stop) {
       for ([[maybe_unused]] const int i : iter_over_async(counting(w, 3), loop, stop)) {
       }
     }},
    {"iter_over_async that is left midway",
     [](world& w, asio::io_context& loop, std::stop_token stop) {
       for (const int i : iter_over_async(counting(w, 3), loop, stop)) {
         if (i == 1) break;
       }
     }},
};

const scenario limiters[] = {
    {"limiter.acquire", [](world& w) { return drop(w.token()); }},
    {"limiter.acquire of three", [](world& w) { return drop(w.token(3)); }},
    {"limiter.acquire in a line", [](world& w) { return drop(w.token(2)); }, false, false, line_of_four},
    {"limiter.acquire at the head of a line", lead_a_line},
    {"limiter.async_acquire", acquire_by_token},
    {"limiter.async_acquire that need not wait", acquire_by_token_when_ready},
    {"limiter.call", [](world& w) { return drop(w.tokens.call(pays(w))); }},
    {"limiter.call in a line", [](world& w) { return drop(w.tokens.call(pays(w))); }, false, false,
     line_of_four},
    {"limiter.acquire within its deadline", [](world& w) { return drop(w.token(3, within(w, 3s))); }},
    {"limiter.acquire beyond its deadline", acquire_until_too_late},
    {"limiter.acquire while the rate changes", acquire_through_changes},
    {"limiter.acquire by priority in a line", acquire_by_priority, false, false, line_of_four},
    {"limiter.reserve", reserve_and_go},
    {"limiter.reserve in front of a line", reserve_in_front_of_a_line},
    {"limiter under gather", map_tokens},
};
const scenario breakers[] = {
    {"breaker.call, closed", [](world& w) { return call_twice(w.closed.subject, w); }},
    {"breaker.call, closed, asynchronous listener",
     [](world& w) { return call_twice(w.closed_async.subject, w); }},
    {"breaker.call, opening", [](world& w) { return fail_twice(w.closed.subject, w); }},
    {"breaker.call, opening, asynchronous listener",
     [](world& w) { return fail_twice(w.closed_async.subject, w); }, true},
    {"breaker.call, open", [](world& w) { return call_twice(w.open.subject, w); }},
    {"breaker.call, closing", [](world& w) { return call_twice(w.half.subject, w); }},
    {"breaker.call, closing, asynchronous listener",
     [](world& w) { return call_twice(w.half_async.subject, w); }, true},
    {"breaker.call, opening again", [](world& w) { return fail_twice(w.half.subject, w); }},
    {"breaker.call, opening again, asynchronous listener",
     [](world& w) { return fail_twice(w.half_async.subject, w); }, true},
};
const scenario retries[] = {
    {"retry.call", [](world& w) { return retry_until_it_works(w.again, w); }},
    {"retry.call, asynchronous on_retry", [](world& w) { return retry_until_it_works(w.again_async, w); }},
    {"retry.call in vain", [](world& w) { return retry_in_vain(w.again, w); }},
    {"retry.call in vain, asynchronous on_retry", [](world& w) { return retry_in_vain(w.again_async, w); }},
};
const scenario timeouts[] = {
    {"run_with_timeout in time", [](world& w) { return drop(run_with_timeout<manual_clock>(w.work(), 2s)); }},
    {"run_with_timeout too late",
     [](world& w) { return drop_failure(run_with_timeout<manual_clock>(w.work(9s), 2s)); }},
    {"run_with_timeout of what ignores it",
     [](world& w) { return drop_failure(run_with_timeout<manual_clock>(w.stubborn(3s), 2s)); }, true},
    {"run_with_timeout of a failure",
     [](world& w) { return drop_failure(run_with_timeout<manual_clock>(w.failing(), 2s)); }},
    {"run_with_timeout, nested", timeouts_nested},
};
const scenario gathers[] = {
    {"gather of a range", [](world& w) { return drop(gather_with_limit(some(w, 5), two)); }},
    {"gather of a range, results",
     [](world& w) { return drop(gather_with_limit(some(w, 5), two, return_exceptions)); }},
    {"gather of several",
     [](world& w) { return drop(gather_with_limit(two, w.work(), works(w), w.work(3s))); }},
    {"gather of several, results",
     [](world& w) { return drop(gather_with_limit(two, return_exceptions, w.failing(), w.work(3s))); }},
    {"gather of callables", gather_callables},
    {"gather around one that fails",
     [](world& w) { return drop_failure(gather_with_limit(three, w.work(9s), w.failing(), w.work(2s))); }},
    {"gather around one that ignores it",
     [](world& w) { return drop_failure(gather_with_limit(two, w.stubborn(3s), w.failing())); }, true},
    {"map_with_limit", map_some},
    {"map_with_limit, results", map_results},
    {"map_with_limit until one fails", map_until_one_fails},
};
const scenario shields[] = {
    {"shield_scope.run", [](world& w) { return drop(w.scope.run(w.work(3s))); }, false, true},
    {"shield_scope.run of a failure", shield_a_failure, false, true},
    {"run_with_shield", [](world& w) { return drop(run_with_shield(w.work(3s))); }, false, true},
    {"shield_scope.join", shield_then_join, false, true},
    {"shield_scope.join for so long", shield_then_join_in_time, false, true},
};
awaitable<void> call_by_key(world& w) {
  int failures = 3;
  const auto by_argument = w.by_key.by([](int) { return "a"; });
  const auto op = [&w, &failures](int) { return w.flaky(failures); };
  const auto p = w.again | by_argument | w.by_key.get("a");
  co_await drop_failure(p.call(op, 1));
}
const scenario keys[] = {
    {"keyed.call", [](world& w) { return drop(w.by_key.call("a", works(w))); }},
    {"keyed.call of a failure", [](world& w) { return drop_failure(w.by_key.call("a", fails(w))); }},
    {"keyed in a pipeline, by argument and by handle", call_by_key},
};
const scenario nests[] = {
    {"retry over breaker over limiter over timeout",
     [](world& w) { return drop(pipeline(w, w.closed.subject, 1)); }},
    {"the same with an asynchronous listener",
     [](world& w) { return drop_failure(pipeline(w, w.closed_async.subject, 2)); }, true},
    {"the same half-open", [](world& w) { return drop_failure(pipeline(w, w.half.subject, 1)); }},
    {"the same as an any_policy", any_policy_of_those},
    {"the same as a pipeline that is observed", observed_pipeline},
    {"gather over those", map_pipelines},
    {"gather over shields", map_shields, false, true},
    {"gather in gather", gather_nested},
    {"shield over limiter, timeout around", [](world& w) { return drop(shielded_payment(w)); }, false, true},
    {"retry around gather", retry_around_gather},
    {"timeout around retry", timeout_around_retry},
};

const scenario hedges[] = {
    {"hedge of what is quick", [](world& w) { return drop(w.twice.call(works(w))); }},
    {"hedge that wins", [](world& w) { return drop(w.twice.call(slow_at_first(w))); }},
    {"hedge that wins, by a quantile", hedge_twice},
    {"hedge after a failure", [](world& w) { return drop(w.thrice.call(failing_at_first(w))); }},
    {"hedge in vain", [](world& w) { return drop_failure(w.thrice.call(fails(w))); }},
    {"hedge of what ignores it", [](world& w) { return drop(w.twice.call(stubborn_at_first(w))); }, true},
    {"hedge in hedge", [](world& w) { return through(w.thrice | w.twice, slow_at_first(w)); }},
    {"hedge inside a timeout", [](world& w) { return through(time_limit(1500ms) | w.thrice, slow_at_first(w)); }},
    {"hedge around timeouts", [](world& w) { return through(w.thrice | time_limit(800ms), slow_at_first(w)); }},
    {"hedge around a limiter", [](world& w) { return through(w.thrice | w.tokens, pays(w)); }},
    {"hedge around a limiter in a line", [](world& w) { return through(w.thrice | w.tokens, pays(w)); }, false, false,
     line_of_four},
    {"hedge inside a limiter", [](world& w) { return through(w.tokens | w.half.subject | w.twice, pays_once(w)); }},
    {"hedge around a breaker", [](world& w) { return through(w.thrice | w.half.subject, slow_at_first(w)); }},
    {"hedge around a breaker that opens, asynchronous listener",
     [](world& w) { return through(w.thrice | w.closed_async.subject, fails(w)); }, true},
    {"hedge around a bulkhead", [](world& w) { return through(w.thrice | w.narrow, slow_at_first(w)); }, false, false,
     full_bulkhead},
    {"hedge between retries", [](world& w) { return through(w.again | w.twice | w.again, fails(w)); }},
};
const scenario pipelines[] = {
    {"bulkhead.call", [](world& w) { return drop(w.narrow.call(works(w))); }},
    {"bulkhead.call in a line", [](world& w) { return drop(w.narrow.call(works(w))); }, false, false, full_bulkhead},
    {"bulkhead.call in a line, timeout around",
     [](world& w) { return through(time_limit(500ms) | w.narrow, works(w)); }, false, false, full_bulkhead},
    {"throttle.call", [](world& w) { return drop(w.polite.call(works(w))); }},
    {"throttle.call of a failure", [](world& w) { return drop_failure(w.polite.call(fails(w))); }},
    {"fallback of a failure", [](world& w) { return drop(or_else(w).call(fails(w))); }},
    {"fallback of a timeout", [](world& w) { return through(or_else(w) | time_limit(500ms), works(w)); }},
    {"timeout around a fallback", [](world& w) { return through(time_limit(1200ms) | or_else(w), fails(w)); }},
    {"timeout | retry | breaker | limiter | timeout",
     [](world& w) {
       return through(time_limit(9s) | w.again_async | w.closed.subject | w.tokens | time_limit(2s), pays(w));
     }},
    {"the same in vain, half-open",
     [](world& w) {
       const auto paid_in_vain = [&w] {
         w.got(1);
         return w.failing(500ms);
       };
       return through(time_limit(9s) | w.again | w.half.subject | w.tokens | time_limit(2s), paid_in_vain);
     }},
    {"the same, timed out again and again",
     [](world& w) {
       const auto slow = [&w] { return w.work(3s); };
       return through(time_limit(12s) | w.again | w.closed_async.subject | w.narrow | time_limit(2s), slow);
     },
     true},
    {"fallback | timeout | retry | hedge | bulkhead | limiter | breaker | throttle | timeout",
     [](world& w) {
       return through(or_else(w) | time_limit(9s) | w.again | w.twice | w.narrow | w.tokens | w.half.subject | w.polite |
                          time_limit(2s),
                      pays(w));
     },
     false, false, full_bulkhead},
};

const scenario limits_and_chaos[] = {
    {"adaptive_concurrency.call", [](world& w) { return drop(w.width.call(works(w))); }},
    {"adaptive_concurrency.call of a failure", [](world& w) { return drop_failure(w.width.call(fails(w))); }},
    {"adaptive_concurrency.call in a line", [](world& w) { return drop(w.width.call(works(w))); }, false, false,
     full_width},
    {"adaptive_concurrency between timeouts, in a line",
     [](world& w) { return through(time_limit(1500ms) | w.width | time_limit(800ms), works(w)); }, false, false,
     full_width},
    {"adaptive_rate.call", [](world& w) { return drop(w.pace.call(works(w))); }},
    {"adaptive_rate.call of a failure", [](world& w) { return drop_failure(w.pace.call(fails(w))); }},
    {"adaptive_rate.call in a queue", [](world& w) { return drop(w.pace.call(works(w))); }, false, false, paced},
    {"adaptive_rate.acquire in a queue", [](world& w) -> awaitable<void> { co_await w.pace.acquire(); }, false, false,
     paced},
    {"adaptive_rate between timeouts, in a queue",
     [](world& w) { return through(time_limit(9s) | w.pace | time_limit(800ms), works(w)); }, false, false, paced},
    {"retry over adaptive_rate", [](world& w) { return through(w.again | w.pace, fails(w)); }, false, false, paced},
    {"retry over adaptive_concurrency", [](world& w) { return through(w.again | w.width, fails(w)); }, false, false,
     full_width},
    {"chaos that delays", [](world& w) { return drop(w.slow.call(works(w))); }},
    {"chaos that fails", [](world& w) { return through(w.again | w.half.subject | w.faulty, works(w)); }},
    {"chaos that makes results up", [](world& w) { return drop((w.narrow | w.made_up).call(works(w))); }},
    {"chaos that makes results up, too late",
     [](world& w) { return through(w.again | time_limit(500ms) | w.made_up, works(w)); }},
};
const scenario flights[] = {
    {"single_flight.call", [](world& w) { return drop(w.once.call(1, works(w))); }},
    {"single_flight.call of a failure", [](world& w) { return drop_failure(w.once.call(1, fails(w))); }},
    {"single_flight.call of what ignores it",
     [](world& w) {
       const auto op = [&w] { return w.stubborn(); };
       return drop(w.once.call(1, op));
     },
     true},
    {"single_flight.call that joins", [](world& w) { return drop(w.once.call(1, works(w))); }, false, false,
     run_under_way},
    {"single_flight.call that is joined", lead_a_flight, false, true},
    {"timeout around single_flight",
     [](world& w) {
       const auto op = [&w] { return w.once.call(1, works(w)); };
       return through(w.again | time_limit(700ms), op);
     }},
};

constexpr scenario_table tables[] = {
    {"calls", calls},
    {"limiters", limiters},
    {"breakers", breakers},
    {"retries", retries},
    {"timeouts", timeouts},
    {"gathers", gathers},
    {"shields", shields},
    {"keys", keys},
    {"nests", nests},
    {"hedges", hedges},
    {"pipelines", pipelines},
    {"limits_and_chaos", limits_and_chaos},
    {"flights", flights},
};

}  // namespace

std::span<const scenario_table> scenario_tables() { return tables; }

std::span<const scenario> scenarios_of(std::string_view table) {
  for (const auto& t : tables) {
    if (t.name == table) return t.scenarios;
  }
  throw std::invalid_argument("no such table of scenarios: " + std::string(table));
}

std::span<const blocking_scenario> blocking_scenarios() { return blocked_threads; }

}  // namespace dspu::aio::proof
