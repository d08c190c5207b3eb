// The cancellation harness's policies, operations and checks.
#include "cancellation/world.hpp"

#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/detail/uncancelled.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cmath>

namespace dspu::aio::proof {

namespace {

constexpr manual_clock::time_point start{std::chrono::hours{24 * 365}};  // where simulators start
constexpr duration breaker_timeout = 10s;
constexpr duration told_in = 100ms;  // how long the asynchronous callbacks take

awaitable<int> ready() { co_return 1; }

}  // namespace

watched_breaker::watched_breaker(listener kind, const bool& quiet)
    : subject({.failure_threshold = 2,
               .success_threshold = probes,
               .timeout = breaker_timeout,
               .on_state_change = [&]() -> callback<circuit_state, circuit_state> {
                 if (kind == listener::plain) {
                   return [this](circuit_state from, circuit_state to) { hear(from, to); };
                 }
                 return [this](circuit_state from, circuit_state to) -> awaitable<void> {
                   hear(from, to);
                   co_await detail::sleep_for<manual_clock>(told_in);
                 };
               }()}),
      quiet_(quiet) {}

void watched_breaker::hear(circuit_state from, circuit_state to) {
  if (quiet_) complaint = "on_state_change was called after the end";
  if (last_ && *last_ != from) complaint = "a transition was not told of, or told twice";
  last_ = to;
}

void watched_breaker::trip() {
  while (subject.state() != circuit_state::open) subject.try_permit().failure();
}

void watched_breaker::half_open() {
  trip();
  manual_clock::advance(breaker_timeout);
  static_cast<void>(subject.try_permit());
}

void watched_breaker::check_usable(simulator& sim) {
  if (subject.state() == circuit_state::closed) trip();
  if (subject.state() == circuit_state::open) manual_clock::advance(breaker_timeout);
  std::list<breaker::permit> permits;
  for (std::int64_t i = 0; i < probes; ++i) {
    permits.push_back(subject.try_permit());
    if (!permits.back()) {
      complaint = "a probe's place was lost";
      return;
    }
  }
  if (subject.try_permit()) complaint = "there was a place for one probe too many";
  for (auto& p : permits) p.success();
  if (subject.state() != circuit_state::closed) complaint = "as many successes as asked for did not close it";
  sim.run(subject.call(ready));  // tells an asynchronous listener what is left
  if (last_ && *last_ != subject.state()) complaint = "the last transition was not told of";
}

world::clock_at_start::clock_at_start() { manual_clock::set(start); }

world::world(int concurrency_hint)
    : again(options_with([this](std::int64_t, std::exception_ptr) {
        if (ended) complain("on_retry was called after the end");
      })),
      again_async(options_with([this](std::int64_t, std::exception_ptr) -> awaitable<void> {
        if (ended) complain("on_retry was called after the end");
        const counted under_way(callbacks);
        co_await detail::sleep_for<manual_clock>(told_in);
      })),
      sim(std::in_place, 1, concurrency_hint) {
  tokens.try_acquire(tokens.capacity());
  open.trip();
  half.half_open();
  half_async.half_open();
  manual_clock::set(start);
}

retry_options world::options_with(callback<std::int64_t, std::exception_ptr> on_retry) {
  return {.max_attempts = 4, .base_delay = 1s, .jitter = jitter::none, .on_retry = std::move(on_retry)};
}

awaitable<int> world::work(duration takes) {
  const counted here(frames);
  co_await detail::sleep_for<manual_clock>(takes);
  co_return 1;
}

awaitable<int> world::failing(duration takes) {
  const counted here(frames);
  co_await detail::sleep_for<manual_clock>(takes);
  throw testing::scripted_failure();
}

awaitable<int> world::stubborn(duration takes) {
  const counted here(frames);
  auto deaf = detail::uncancelled(detail::sleep_for<manual_clock>(takes));
  co_await std::move(deaf);
  co_return 1;
}

awaitable<int> world::flaky(int& failures) {
  const counted here(frames);
  co_await detail::sleep_for<manual_clock>(1s);
  if (failures-- > 0) throw testing::scripted_failure();
  co_return 1;
}

awaitable<int> world::token(double n, acquire_options options) {
  const counted here(frames);
  co_await tokens.acquire(n, options);
  got(static_cast<int>(n));
  co_return 1;
}

awaitable<int> world::paid_work() {
  got(1);
  return work();
}

void world::queue_up(comes when) { others.emplace_back(*sim, wait_in_line(when)); }

awaitable<void> world::wait_in_line(comes when) {
  if (when == comes::in_a_moment) co_await asio::post(asio::use_awaitable);
  co_await tokens.acquire();
  got(1);
}

void world::got(int n) {
  granted += n;
  last_grant = manual_clock::now();
}

void world::check_conserved() {
  if (frames != 0) complain(std::to_string(frames) + " operations were left behind");
  if (callbacks != 0) complain("an on_retry was left behind");
  if (scope.outstanding() != 0) complain("the scope counts work that has ended");
  if (tokens.waiters() != 0) complain("somebody was left in the line");
  if (narrow.in_flight() != 0 || narrow.waiting() != 0) complain("a place or a waiter was left in the bulkhead");
  if (const auto s = pace.statistics(); s.in_flight != 0 || s.waiting != 0)
    complain("a call or a waiter was left in the adaptive rate");
  if (width.in_flight() != 0 || width.waiting() != 0) complain("a call or a waiter was left in the adaptive limit");
  if (once.in_flight() != 0) complain("a shared run was left behind");
  if (!others.empty() && last_grant != start + granted * 1s) {
    complain("those who waited behind were not served as soon as they could be");
  }
  // Nobody is in a call any more, so that nothing keeps the only place but what was counted.
  by_key.for_each([](const std::string&, breaker& b) { b.reset(); });
  try {
    by_key.get("another");
  } catch (const too_many_keys_error&) {
    complain("a key is held by nobody's call");
  }
  const double made = std::chrono::duration<double>(manual_clock::now() - start).count();
  if (std::abs(tokens.tokens() - (made - granted)) > 1e-6) {
    complain("tokens: " + std::to_string(made) + " made, " + std::to_string(granted) + " granted, " +
             std::to_string(tokens.tokens()) + " left");
  }
}

void world::check_usable() {
  ended = false;
  sim.reset();
  simulator after;
  manual_clock::advance(2h);  // later than anything that happened before
  const auto use = [](world& w) -> awaitable<void> {
    co_await w.tokens.acquire(1000);
    co_await w.scope.run(ready());
    co_await w.scope.join();
  };
  after.run(use(*this));
  if (after.elapsed() != 2h) complain("the limiter or the scope made a fresh call wait");
  for (auto* b : {&closed, &closed_async, &open, &half, &half_async}) {
    b->check_usable(after);
    if (!b->complaint.empty()) complain(b->complaint);
  }
}

}  // namespace dspu::aio::proof
