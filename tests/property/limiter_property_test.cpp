// The limiter in simulated time: arrivals, amounts and cancellations at random; grants first come, first
// served, no window above its bound, every token accounted for.
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <boost/asio/bind_executor.hpp>

#include <algorithm>
#include <cmath>
#include <list>
#include <optional>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;

struct grant {
  int id;
  duration at;
  double n;
};

struct run {
  run(double rate, double capacity, duration wake_interval)
      : subject({.rate = rate, .capacity = capacity, .wake_interval = wake_interval}) {}

  simulator sim;
  limiter subject;
  std::vector<grant> grants{};
  std::list<test::task> tasks{};
  int arrived = 0;  // ids go by arrival: timers of one instant go off in any order

  awaitable<void> take(double n, int id) {
    co_await subject.acquire(n);
    grants.push_back({id, sim.elapsed(), n});
  }
  void arrive(double n, bool cancelled, duration patience) {
    auto& t = tasks.emplace_back(sim, take(n, arrived++));
    if (!cancelled) return;
    sim.at(sim.elapsed() + patience, [&t] {
      if (!t.done()) t.cancel();
    });
  }
  // Tries must fail while anybody waits. Those that succeed are not in line, so they have no id.
  void try_take(double n) {
    const bool waited_for = subject.waiters() > 0;
    const bool taken = subject.try_acquire(n);
    RC_ASSERT(!(taken && waited_for));
    if (taken) grants.push_back({-1, sim.elapsed(), n});
  }
};

// Amounts in quarters and rates in whole tokens: doubles add them up exactly.
void arrive_at_random(run& r, double rate, double capacity) {
  const int arrivals = *rc::gen::inRange(1, 40);
  duration at{0};
  for (int i = 0; i < arrivals; ++i) {
    const auto mean = static_cast<std::int64_t>(1e9 / rate);
    at += duration{
        *rc::gen::oneOf(rc::gen::just<std::int64_t>(0), rc::gen::inRange<std::int64_t>(0, 2 * mean))};
    const double n = *rc::gen::inRange(1, static_cast<int>(capacity * 4) + 1) / 4.0;
    if (*rc::gen::weightedElement<bool>({{1, true}, {4, false}})) {
      r.sim.at(at, [&r, n] { r.try_take(n); });
      continue;
    }
    const bool cancelled = *rc::gen::weightedElement<bool>({{1, true}, {3, false}});
    const auto patience = duration{*rc::gen::inRange<std::int64_t>(0, 8 * mean)};
    r.sim.at(at, [&r, n, cancelled, patience] { r.arrive(n, cancelled, patience); });
  }
}

void check_order(const std::vector<grant>& grants) {
  int last = -1;
  for (const auto& g : grants) {
    if (g.id < 0) continue;
    RC_ASSERT(g.id > last);
    last = g.id;
  }
}

// A waiter goes at the first whole nanosecond, and what is made in the rest of that is set aside for those
// behind it: a window may hold as much more as the rate makes in one.
void check_windows(const std::vector<grant>& grants, double rate, double bound) {
  const double rest_of_a_nanosecond = rate * 1e-9;
  for (std::size_t first = 0; first < grants.size(); ++first) {
    double sum = 0;
    for (std::size_t last = first; last < grants.size(); ++last) {
      sum += grants[last].n;
      const double w = std::chrono::duration<double>(grants[last].at - grants[first].at).count();
      RC_ASSERT(sum <= bound + rate * w + rest_of_a_nanosecond + 1e-9);
    }
  }
}

void check(duration wake_interval) {
  const double rate = *rc::gen::inRange(1, 2000);
  const double capacity = *rc::gen::inRange(1, 20);
  run r(rate, capacity, wake_interval);
  arrive_at_random(r, rate, capacity);
  r.sim.run();
  RC_ASSERT(std::ranges::all_of(r.tasks, &test::task::done));
  RC_ASSERT(r.subject.waiters() == 0U);
  check_order(r.grants);
  // A wake may come late by wake_interval; what was set aside meanwhile, at most as much as the documented
  // slack makes.
  const duration slack = wake_interval > 0ns ? std::max<duration>(10ms, 4 * wake_interval) : 0ns;
  check_windows(r.grants, rate, capacity + rate * std::chrono::duration<double>(slack).count());
  // Conservation: with nothing taken twice and nothing lost, an hour refills it, and to the capacity only.
  r.sim.run_for(1h);
  RC_ASSERT(r.subject.tokens() == capacity);
}

RC_GTEST_PROP(LimiterProperty, ServesInOrderWithinItsBoundsWhenItWakesForEach, ()) { check(0ns); }

RC_GTEST_PROP(LimiterProperty, ServesInOrderWithinItsBoundsWhenItWakesForSeveral, ()) {
  check(duration{*rc::gen::inRange<std::int64_t>(1, 5'000'000)});
}

// A bucket that is never full: what was made is what was granted plus what is left, exactly.
RC_GTEST_PROP(LimiterProperty, AccountsForEveryToken, ()) {
  run r(4, 1024, 0ns);
  r.subject.try_acquire(1024);
  const int arrivals = *rc::gen::inRange(1, 40);
  for (int i = 0; i < arrivals; ++i) {
    const auto at = duration{250ms} * *rc::gen::inRange(0, 60);
    const double n = *rc::gen::inRange(1, 9) / 4.0;
    const auto patience = duration{250ms} * *rc::gen::inRange(0, 60);
    const bool cancelled = *rc::gen::arbitrary<bool>();
    r.sim.at(at, [&r, n, cancelled, patience] { r.arrive(n, cancelled, patience); });
  }
  r.sim.run();
  double granted = 0;
  for (const auto& g : r.grants) granted += g.n;
  RC_ASSERT(r.subject.tokens() == 4 * std::chrono::duration<double>(r.sim.elapsed()).count() - granted);
}

// The deadline is the truth: who is let into the line has its tokens by then, who is not would not have had
// them. The oracle is the line itself: without classes and changes, grants come when they were planned.
RC_GTEST_PROP(LimiterProperty, RefusesExactlyThoseWhoCannotBeInTime, ()) {
  const double capacity = *rc::gen::inRange(1, 10);
  run r(4, capacity, 0ns);
  r.subject.try_acquire(capacity);
  std::list<std::optional<error_code>> endings;
  double ahead = 0;  // what was let in: tokens come four a second, from none
  const int arrivals = *rc::gen::inRange(1, 30);
  for (int i = 0; i < arrivals; ++i) {
    const double n = *rc::gen::inRange(1, static_cast<int>(capacity * 4) + 1) / 4.0;
    const auto within = 62500us * *rc::gen::inRange(0, 100);
    const auto due = std::chrono::duration_cast<duration>(std::chrono::duration<double>((ahead + n) / 4));
    const acquire_options options{.deadline = core::instant_of(r.sim.now() + within)};
    auto& ended = endings.emplace_back();
    const auto note = [&ended](error_code ec) { ended = ec; };
    r.subject.async_acquire(n, options, asio::bind_executor(r.sim.get_executor(), note));
    r.sim.run_for(0s);
    RC_ASSERT(ended.has_value() == (due > within));
    RC_ASSERT(!ended || ended == errc::would_exceed_deadline);
    if (!ended) ahead += n;
    r.arrive(0.25, true, 0ns);  // one that gives up changes nothing
    r.sim.run_for(0s);
  }
  r.sim.run();
  RC_ASSERT(r.sim.elapsed() ==
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(ahead / 4)));
}

// Reservations, made, cancelled and used at random among those who wait: each that is left is served in its
// order, and at the end every token is accounted for.
RC_GTEST_PROP(LimiterProperty, KeepsReservationsInOrderAndTheirTokens, ()) {
  run r(4, 1024, 0ns);
  r.subject.try_acquire(1024);
  struct kept {
    reservation place;
    double n;
  };
  std::vector<kept> held;
  double used = 0;
  const int steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    const double n = *rc::gen::inRange(1, 9) / 4.0;
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        held.push_back({r.subject.reserve(n), n});
        break;
      case 1:
        r.arrive(n, *rc::gen::arbitrary<bool>(), 250ms * *rc::gen::inRange(0, 20));
        r.sim.run_for(0s);  // it is there now; those granted by what follows are told in order
        break;
      case 2:
        if (!held.empty()) held.erase(held.begin() + *rc::gen::inRange(0, static_cast<int>(held.size())));
        break;
      case 3:
        if (!held.empty() && held.front().place.ready_at() <= core::instant_of(r.sim.now())) {
          const double before = r.subject.tokens();
          RC_ASSERT(held.front().place.use());
          used += held.front().n;
          RC_ASSERT(r.subject.tokens() == before);
          held.erase(held.begin());
        }
        break;
      default:
        r.sim.run_for(250ms * *rc::gen::inRange(0, 8));
    }
    for (std::size_t k = 1; k < held.size(); ++k) {
      RC_ASSERT(held[k - 1].place.ready_at() <= held[k].place.ready_at());
    }
  }
  held.clear();
  r.sim.run();
  RC_ASSERT(r.subject.waiters() == 0U);
  check_order(r.grants);
  for (const auto& g : r.grants) used += g.n;
  RC_ASSERT(r.subject.tokens() == 4 * std::chrono::duration<double>(r.sim.elapsed()).count() - used);
}

}  // namespace
}  // namespace dspu::aio
