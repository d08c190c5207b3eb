#include "composition/scenarios.hpp"

namespace dspu::aio::composition {

namespace {

bool waits(kind k) {
  return k == kind::retry || k == kind::limiter || k == kind::bulkhead || k == kind::adaptive ||
         k == kind::chaos || k == kind::pace;
}
bool refuses_at_will(kind k) { return k != kind::retry && k != kind::fallback && k != kind::hedge; }

awaitable<int> hang(script& op) { return op(); }

// Until it is let go, a call is in it.
struct occupied {
  template <class Policy>
  occupied(simulator& sim, Policy& p) : op(), task(sim, run(p, op.hangs())) {
    sim.run_until(sim.elapsed());
  }
  template <class Policy>
  static awaitable<void> run(Policy& p, script& op) {
    const auto forever = [&op] { return hang(op); };
    co_await p.call(forever);
  }
  script op;
  test::task task;
};

// Its lines are as long as may be, and tokens come soon enough for a timeout of 10 s.
void with_room_to_wait(policies& p) {
  p.limiter.reconfigure({.rate = 1, .per = 5s, .capacity = policies::capacity, .wake_interval = 0ns});
  p.places.reconfigure({.limit = 1, .max_queue = 1});
  auto options = p.width.options();
  options.max_queue = 1;
  p.width.reconfigure(options);
  p.pace.reconfigure({.max_queue = 1});
}

// Lets nobody through from now on.
std::unique_ptr<occupied> close(simulator& sim, policies& p, kind k) {
  switch (k) {
    case kind::timeout:
      p.timeout.reconfigure({.limit = 0s});
      break;
    case kind::breaker:
      p.breaker.isolate();
      break;
    case kind::limiter:
      p.limiter.drain();
      break;
    case kind::bulkhead:
      return std::make_unique<occupied>(sim, p.places);
    case kind::throttle: {  // one call that failed: the next is refused with the probability 1/2
      script op;
      op.fails();
      const auto once = [&op] { return op(); };
      try {
        sim.run(p.throttle.call(once));
      } catch (const testing::scripted_failure&) {
      }
      p.drawn = 0;
      break;
    }
    case kind::adaptive: {
      auto options = p.width.options();
      options.initial = options.max = 1;
      p.width.reconfigure(options);
      return std::make_unique<occupied>(sim, p.width);
    }
    case kind::chaos:
      p.storm.reconfigure({.fault_rate = 1});
      break;
    case kind::pace:
      p.pace.try_acquire().refused({.retry_after = 5s});
      break;
    case kind::retry:
    case kind::fallback:
    case kind::hedge:
      break;
  }
  return nullptr;
}

void let_go(world& w, const std::unique_ptr<occupied>& held) {
  if (!held) return;
  held->task.cancel();
  w.sim.run();
}

std::string with_closed(world& w, policies& closed, kind which, kind around, kind inside) {
  const auto held = close(w.sim, closed, which);
  w.op.returns(7);
  auto report = w.run(around, inside);
  let_go(w, held);
  return report;
}

std::string in_line(world& w, kind around, kind inside) {
  if (inside == kind::retry) {
    w.op.fails(1s);
    return w.run_and_cancel(around, inside, 1500ms);
  }
  if (inside == kind::chaos) {
    w.inner.storm.reconfigure({.latency_rate = 1, .latency_min = 10s, .latency_max = 10s});
    w.op.returns(7);
    return w.run_and_cancel(around, inside, 1500ms);
  }
  with_room_to_wait(w.inner);
  const auto held = close(w.sim, w.inner, inside);
  auto report = w.run_and_cancel(around, inside, 1500ms);
  let_go(w, held);
  return report;
}

}  // namespace

const char* name_of(scenario s) {
  constexpr const char* names[scenarios] = {"succeeds",     "fails",         "fails_once",
                                            "is_overtaken", "hangs",         "gives_up",
                                            "quits_line",   "inner_refuses", "outer_refuses",
                                            "little_time"};
  return names[static_cast<std::size_t>(s)];
}

bool applies(scenario s, kind around, kind inside) {
  if (s == scenario::hangs) return around == kind::timeout || inside == kind::timeout;
  if (s == scenario::is_overtaken) return around == kind::hedge || inside == kind::hedge;
  if (s == scenario::quits_line) return waits(inside);
  if (s == scenario::inner_refuses) return refuses_at_will(inside);
  if (s == scenario::outer_refuses) return refuses_at_will(around);
  return true;
}

std::string play(scenario s, world& w, kind around, kind inside) {
  switch (s) {
    case scenario::succeeds:
      w.op.returns(7, 1s);
      break;
    case scenario::fails:
      w.op.fails(1s);
      break;
    case scenario::fails_once:
      w.op.fails(1s).returns(7, 1s);
      break;
    case scenario::is_overtaken:
      w.op.returns(5, 20s).returns(7, 1s);
      break;
    case scenario::hangs:
      w.op.hangs();
      break;
    case scenario::gives_up:
      w.op.hangs();
      return w.run_and_cancel(around, inside, 500ms);
    case scenario::quits_line:
      return in_line(w, around, inside);
    case scenario::inner_refuses:
      return with_closed(w, w.inner, inside, around, inside);
    case scenario::outer_refuses:
      return with_closed(w, w.outer, around, around, inside);
    case scenario::little_time:
      w.op.fails(1s);
      w.outer.limiter.drain();
      w.inner.limiter.drain();
      w.outer.limiter.reconfigure(
          {.rate = 1, .per = 1h, .capacity = policies::capacity});  // a line without end
      w.inner.limiter.reconfigure({.rate = 1, .per = 1h, .capacity = policies::capacity});
      w.context.deadline = core::instant_of(manual_clock::now() + 2s);
      break;
  }
  return w.run(around, inside);
}

}  // namespace dspu::aio::composition
