// The limiter in simulated time: arrivals, amounts and cancellations at random; grants first come, first
// served, no window above its bound, every token accounted for.
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <list>
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

void check_windows(const std::vector<grant>& grants, double rate, double bound) {
  for (std::size_t first = 0; first < grants.size(); ++first) {
    double sum = 0;
    for (std::size_t last = first; last < grants.size(); ++last) {
      sum += grants[last].n;
      const double w = std::chrono::duration<double>(grants[last].at - grants[first].at).count();
      RC_ASSERT(sum <= bound + rate * w + 1e-6);
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

}  // namespace
}  // namespace dspu::aio
