#include "items.hpp"

#include "floors.hpp"

#include "dspu/aio/any_policy.hpp"
#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/clocks.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/run_async.hpp"
#include "dspu/aio/sync_to_async.hpp"
#include "dspu/aio/timeout.hpp"

#include <boost/asio/thread_pool.hpp>

#include <cstdlib>
#include <ranges>
#include <thread>

namespace dspu::bench {

namespace {

using namespace std::chrono_literals;
using aio::awaitable;
using floors::error_code;
using floors::ready;
using floors::yield_once;

constexpr int any_threads = BOOST_ASIO_CONCURRENCY_HINT_DEFAULT;
constexpr int one_thread = 1;
constexpr std::int64_t warm_up = 64;

void must(bool ok) {
  if (!ok) std::abort();
}

// ---- how the items are run ----

template <class Step>
sample called(std::int64_t n, Step step) {
  for (std::int64_t i = 0; i < warm_up; ++i) step();
  meter m(n);
  for (std::int64_t i = 0; i < n; ++i) {
    step();
    forget_what_is_known();
  }
  return m.end();
}

template <class Step>
awaitable<sample> await_each(std::int64_t n, Step& step) {
  for (std::int64_t i = 0; i < warm_up; ++i) co_await step();
  meter m(n);
  for (std::int64_t i = 0; i < n; ++i) co_await step();
  co_return m.end();
}

sample on_loop(int hint, awaitable<sample> body) {
  asio::io_context context(hint);
  sample out;
  asio::co_spawn(context, std::move(body), [&](std::exception_ptr e, sample s) {
    if (e) std::rethrow_exception(e);
    out = s;
  });
  context.run();
  return out;
}

template <class Step>
sample awaited(std::int64_t n, Step step) {
  return on_loop(any_threads, await_each(n, step));
}

// 64 coroutines, each running loop(its share); a timer far off keeps the reactor awake, as in any real program.
template <class Loop>
sample in_flight(std::int64_t n, int hint, Loop loop, time_of t = time_of::thread) {
  constexpr int many = 64;
  asio::io_context context(hint);
  asio::steady_timer keeper(context, 3600s);
  keeper.async_wait([](error_code) {});
  int left = many;
  meter m(n, t);
  for (int k = 0; k < many; ++k) {
    asio::co_spawn(context, loop(context, n / many), [&](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
      if (--left == 0) keeper.cancel();
    });
  }
  context.run();
  return m.end();
}

// Two threads, each n times; the time is until the later one ends.
template <class Step>
sample two_threads(std::int64_t n, Step step) {
  std::atomic<int> waiting{2};
  sample each[2];
  const auto run = [&](int k) {
    --waiting;
    while (waiting.load() != 0) {
    }
    meter m(n, time_of::wall);
    for (std::int64_t i = 0; i < n; ++i) {
      step();
      forget_what_is_known();
    }
    each[k] = m.end();
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  return each[0].ns > each[1].ns ? each[0] : each[1];
}

// ---- the limiter ----

using steady_bucket = floors::bucket<floors::steady_ns>;
constexpr std::int64_t plenty = 1'000'000'000;
constexpr aio::rate_limiter_options generous{.rate = 1e9, .capacity = 1e9};
constexpr aio::rate_limiter_options dry{.rate = 1e-6, .capacity = 1.0};
constexpr std::int64_t never = 1'000'000'000'000'000;

template <class Bucket>
sample floor_admitted(std::int64_t n) {
  Bucket b(1, plenty);
  return called(n, [&] { must(b.try_acquire()); });
}
template <class Limiter>
sample admitted(std::int64_t n) {
  Limiter limiter{generous};
  return called(n, [&] { must(limiter.try_acquire()); });
}

sample floor_refused(std::int64_t n) {
  steady_bucket b(never, 0);
  return called(n, [&] { must(!b.try_acquire()); });
}
sample refused(std::int64_t n) {
  aio::rate_limiter limiter{dry};
  must(limiter.try_acquire());
  return called(n, [&] { must(!limiter.try_acquire()); });
}

sample floor_admitted_by_two(std::int64_t n) {
  steady_bucket b(1, plenty);
  return two_threads(n, [&] { must(b.try_acquire()); });
}
sample admitted_by_two(std::int64_t n) {
  aio::rate_limiter limiter{generous};
  return two_threads(n, [&] { must(limiter.try_acquire()); });
}
sample floor_refused_by_two(std::int64_t n) {
  steady_bucket b(never, 0);
  return two_threads(n, [&] { must(!b.try_acquire()); });
}
sample refused_by_two(std::int64_t n) {
  aio::rate_limiter limiter{dry};
  must(limiter.try_acquire());
  return two_threads(n, [&] { must(!limiter.try_acquire()); });
}

sample floor_acquire(std::int64_t n) {
  steady_bucket b(1, plenty);
  return awaited(n, [&] { return floors::acquire(b); });
}
sample acquire(std::int64_t n) {
  aio::rate_limiter limiter{generous};
  return awaited(n, [&] { return limiter.acquire(); });
}

// ---- the breaker ----

sample floor_closed(std::int64_t n) {
  floors::breaker b;
  return awaited(n, [&] { return b.call(ready); });
}
sample closed(std::int64_t n) {
  aio::circuit_breaker b;
  return awaited(n, [&] { return b.call(ready); });
}

sample floor_bare(std::int64_t n) {
  return awaited(n, [] { return ready(); });
}
awaitable<sample> with_permits(std::int64_t n) {
  aio::circuit_breaker b;
  meter m(n);
  for (std::int64_t i = 0; i < n; ++i) {
    auto permit = b.try_permit();
    must(static_cast<bool>(permit));
    co_await ready();
    permit.success();
  }
  co_return m.end();
}
sample permits(std::int64_t n) { return on_loop(any_threads, with_permits(n)); }

sample floor_open(std::int64_t n) {
  floors::breaker b;
  b.state = 1;
  b.open_until = std::numeric_limits<std::int64_t>::max();
  return called(n, [&] { must(!b.allows()); });
}
void open_for_good(aio::circuit_breaker& b) { b.try_permit().failure(); }
constexpr auto opens_at_once = [] {
  return aio::circuit_breaker_options{.failure_threshold = 1, .timeout = 24h};
};
sample open(std::int64_t n) {
  aio::circuit_breaker b{opens_at_once()};
  open_for_good(b);
  return called(n, [&] { must(!b.try_permit()); });
}

template <class Call>
awaitable<void> refused_by(Call& call) {
  try {
    co_await call();
    std::abort();
  } catch (const std::runtime_error&) {  // boost::system::system_error is one
  }
}
sample floor_open_throwing(std::int64_t n) {
  floors::breaker b;
  b.state = 1;
  b.open_until = std::numeric_limits<std::int64_t>::max();
  auto call = [&] { return b.call(ready); };
  return awaited(n, [&] { return refused_by(call); });
}
sample open_throwing(std::int64_t n) {
  aio::circuit_breaker b{opens_at_once()};
  open_for_good(b);
  auto call = [&] { return b.call(ready); };
  return awaited(n, [&] { return refused_by(call); });
}

sample floor_permits_by_two(std::int64_t n) {
  floors::breaker b;
  return two_threads(n, [&] {
    must(b.allows());
    b.succeeded();
  });
}
sample permits_by_two(std::int64_t n) {
  aio::circuit_breaker b;
  return two_threads(n, [&] {
    auto permit = b.try_permit();
    must(static_cast<bool>(permit));
    permit.success();
  });
}

// ---- retry, and all of them ----

sample floor_retry(std::int64_t n) {
  return awaited(n, [] { return floors::try_loop(ready, 3); });
}
sample retry(std::int64_t n) {
  const aio::retry again;
  return awaited(n, [&] { return again.call(ready); });
}

sample floor_all_five(std::int64_t n) {
  floors::deadline_list deadlines;
  floors::breaker b;
  steady_bucket bucket(1, plenty);
  return awaited(n, [&] { return floors::all_five(deadlines, b, bucket, ready, 3); });
}
sample all_five_nested(std::int64_t n) {
  aio::rate_limiter limiter{generous};
  aio::circuit_breaker breaker;
  const aio::retry again;
  const aio::timeout limit{1s};
  const auto limited = limiter(ready);
  const auto guarded = breaker(limited);
  const auto retried = again(guarded);
  return awaited(n, [&] { return limit.call(retried); });
}

sample all_five_in_a_row(std::int64_t n, int hint) {
  aio::rate_limiter limiter{generous};
  aio::circuit_breaker breaker;
  const auto row = aio::timeout(1s) | aio::retry() | breaker | limiter;
  auto step = [&] { return row.call(ready); };
  return on_loop(hint, await_each(n, step));
}

sample all_five_erased(std::int64_t n, int hint) {
  aio::rate_limiter limiter{generous};
  aio::circuit_breaker breaker;
  const aio::any_policy row = aio::timeout(1s) | aio::retry() | breaker | limiter;
  auto step = [&] { return row.call(ready); };
  return on_loop(hint, await_each(n, step));
}

// ---- gather ----

template <class F>
sample floor_gather(std::int64_t n, int hint, F fn) {
  asio::io_context context(hint);
  std::int64_t next = 0;
  meter m(n);
  for (int i = 0; i < 64; ++i) asio::co_spawn(context, floors::worker(next, n, fn), asio::detached);
  context.run();
  return m.end();
}
template <class F>
awaitable<void> map_all(std::int64_t n, F fn) {
  const auto op = [fn](std::int64_t) { return fn(); };
  auto all = aio::map_with_limit(std::views::iota(std::int64_t{0}, n), op, {.limit = 64});
  co_await std::move(all);
}
template <class F>
sample gather(std::int64_t n, int hint, F fn) {
  asio::io_context context(hint);
  meter m(n);
  asio::co_spawn(context, map_all(n, fn), [](std::exception_ptr e) { must(!e); });
  context.run();
  return m.end();
}

// ---- timeout ----

awaitable<void> list_deadlines(asio::io_context&, std::int64_t n) {
  static floors::deadline_list deadlines;
  for (std::int64_t i = 0; i < n; ++i) {
    floors::deadline_node d;
    deadlines.push(d, floors::steady_ns() + 1'000'000'000);
    co_await yield_once();
    floors::deadline_list::remove(d);
  }
}
awaitable<void> spawn_with_timer(asio::io_context& context, std::int64_t n) {
  asio::steady_timer timer(context);
  for (std::int64_t i = 0; i < n; ++i) {
    timer.expires_after(1s);
    timer.async_wait([](error_code ec) { must(!!ec); });
    co_await asio::co_spawn(context, yield_once(), asio::use_awaitable);
    timer.cancel();
  }
}
awaitable<void> time_out_awaitables(asio::io_context&, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) co_await aio::run_with_timeout(yield_once(), 1s);
}
template <int Hint, auto Loop>
sample timeouts(std::int64_t n) {
  return in_flight(n, Hint, Loop);
}

awaitable<void> time_out_ready(std::int64_t n, sample& out) {
  meter m(n);
  for (std::int64_t i = 0; i < n; ++i) co_await aio::run_with_timeout(ready(), 1s);
  out = m.end();
}
sample timeout_of_ready(std::int64_t n) {
  asio::io_context context(one_thread);
  sample out;
  asio::co_spawn(context, time_out_ready(n, out), asio::detached);
  context.run();
  return out;
}
sample floor_timeout_of_ready(std::int64_t n) {
  floors::deadline_list deadlines;
  return awaited(n, [&]() -> awaitable<void> {
    floors::deadline_node d;
    deadlines.push(d, floors::steady_ns() + 1'000'000'000);
    co_await ready();
    floors::deadline_list::remove(d);
  });
}

// ---- bridges ----

int one() { return 1; }

asio::thread_pool& pool() {
  static asio::thread_pool p(2);
  return p;
}
awaitable<void> offload_each(asio::io_context&, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) co_await floors::offload(pool().get_executor(), one, asio::use_awaitable);
}
awaitable<void> to_async_each(asio::io_context&, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) co_await aio::sync_to_async(pool(), one);
}
template <auto Loop>
sample round_trips(std::int64_t n) {
  asio::io_context context;
  meter m(n, time_of::wall);
  asio::co_spawn(context, Loop(context, n), asio::detached);
  context.run();
  return m.end();
}
template <auto Loop>
sample round_trips_in_flight(std::int64_t n) {
  return in_flight(n, any_threads, Loop, time_of::wall);
}

sample floor_run_async(std::int64_t n) {
  asio::io_context context(one_thread);
  return called(n, [&] {
    bool done = false;
    asio::co_spawn(context, ready(), [&](std::exception_ptr) { done = true; });
    context.run();
    context.restart();
    must(done);
  });
}
sample run_async(std::int64_t n) {
  return called(n, [] { aio::run_async(ready()); });
}

constexpr auto list_of_deadlines = "FIFO list of deadlines: a clock reading and a link";
constexpr auto spawn_and_timer = "co_spawn and a reused timer";
constexpr auto sixty_four_workers = "64 loops over one index";

constexpr item all_items[] = {
    {"try_acquire, admitted", "CAS and clock", 1.15, 400'000, true, floor_admitted<steady_bucket>,
     admitted<aio::rate_limiter>},
    {"try_acquire, admitted, tsc_clock", "CAS and rdtsc", 1.3, 400'000, false, floor_admitted<floors::bucket<floors::tsc>>,
     admitted<aio::basic_rate_limiter<aio::tsc_clock>>},
    {"try_acquire, admitted, coarse_clock", "CAS and coarse clock", 1.3, 400'000, false,
     floor_admitted<floors::bucket<floors::coarse_ns>>, admitted<aio::basic_rate_limiter<aio::coarse_clock>>},
    {"try_acquire, refused", "load and clock", 1.15, 400'000, true, floor_refused, refused},
    {"try_acquire, admitted, 2 threads", "CAS loop and clock", 2, 200'000, false, floor_admitted_by_two,
     admitted_by_two},
    {"try_acquire, refused, 2 threads", "load and clock", 1.15, 200'000, false, floor_refused_by_two, refused_by_two},
    {"co_await acquire, admitted", "a frame, CAS and clock", 1.15, 200'000, true, floor_acquire, acquire},
    {"breaker.call, closed", "a frame and two loads", 1.15, 200'000, true, floor_closed, closed},
    {"breaker permit, closed", "the bare operation", 1.1, 200'000, true, floor_bare, permits},
    {"breaker permit, closed, 2 threads", "two loads", 0, 400'000, false, floor_permits_by_two, permits_by_two},
    {"breaker permit, open", "load and clock", 1.3, 400'000, true, floor_open, open},
    {"breaker.call, open", "a throw through a frame", 0, 10'000, true, floor_open_throwing, open_throwing},
    {"retry.call, success", "a try-loop in a frame", 1.15, 200'000, true, floor_retry, retry},
    {"five policies, nested", "all in one frame by hand", 0, 100'000, true, floor_all_five, all_five_nested},
    {"five policies, a pipeline", "all in one frame by hand", 1.3, 100'000, true, floor_all_five,
     [](std::int64_t n) { return all_five_in_a_row(n, any_threads); }},
    {"five policies, a pipeline, one thread", "all in one frame by hand", 1.3, 100'000, true, floor_all_five,
     [](std::int64_t n) { return all_five_in_a_row(n, one_thread); }},
    {"five policies, an any_policy, one thread", "the same as a pipeline", 0, 100'000, false,
     [](std::int64_t n) { return all_five_in_a_row(n, one_thread); },
     [](std::int64_t n) { return all_five_erased(n, one_thread); }},
    {"gather 64, ready", sixty_four_workers, 1.5, 200'000, true,
     [](std::int64_t n) { return floor_gather(n, any_threads, ready); },
     [](std::int64_t n) { return gather(n, any_threads, ready); }},
    {"gather 64, ready, one thread", sixty_four_workers, 1.5, 200'000, true,
     [](std::int64_t n) { return floor_gather(n, one_thread, ready); },
     [](std::int64_t n) { return gather(n, one_thread, ready); }},
    {"gather 64, one yield", sixty_four_workers, 1.5, 50'000, true,
     [](std::int64_t n) { return floor_gather(n, any_threads, yield_once); },
     [](std::int64_t n) { return gather(n, any_threads, yield_once); }},
    {"gather 64, one yield, one thread", sixty_four_workers, 1.5, 50'000, true,
     [](std::int64_t n) { return floor_gather(n, one_thread, yield_once); },
     [](std::int64_t n) { return gather(n, one_thread, yield_once); }},
    {"timeout of a ready operation", list_of_deadlines, 0, 100'000, true, floor_timeout_of_ready, timeout_of_ready},
    {"timeout of an awaitable, 64 in flight", spawn_and_timer, 0.7, 32'000, true,
     timeouts<any_threads, spawn_with_timer>, timeouts<any_threads, time_out_awaitables>},
    {"timeout of an awaitable, 64 in flight, one thread", spawn_and_timer, 0.7, 32'000, true,
     timeouts<one_thread, spawn_with_timer>, timeouts<one_thread, time_out_awaitables>},
    {"timeout of an awaitable against a list, one thread", list_of_deadlines, 0, 32'000, true,
     timeouts<one_thread, list_deadlines>, timeouts<one_thread, time_out_awaitables>},
    {"sync_to_async, one at a time", "post to the pool and back", 1.2, 4'000, false, round_trips<offload_each>,
     round_trips<to_async_each>},
    {"sync_to_async, 64 in flight", "post to the pool and back", 1.2, 32'000, false,
     round_trips_in_flight<offload_each>, round_trips_in_flight<to_async_each>},
    {"run_async", "a reused io_context: co_spawn, run, restart", 0, 50'000, true, floor_run_async, run_async},
};

}  // namespace

std::span<const item> items() { return all_items; }

}  // namespace dspu::bench
