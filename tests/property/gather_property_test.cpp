// gather under random durations, failures and cancellations: never above its limit, results in input order,
// nothing left running, the first error in time.
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/gather.hpp"
#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>
#include <ranges>
#include <vector>

namespace dspu::aio {
namespace {

using testing::manual_clock;
using testing::manual_timer;
using testing::simulator;

struct operation_failed : std::runtime_error {
  explicit operation_failed(int i) : runtime_error("operation"), index(i) {}
  int index;
};

struct plan {
  duration takes;
  bool fails;
  bool deaf;  // to cancellation
};

struct run {
  explicit run(std::vector<plan> p) : plans(std::move(p)) {}

  simulator sim;
  std::vector<plan> plans;
  std::int64_t running = 0;
  std::int64_t most = 0;
  int started = 0;
  bool in_order = true;
  int first_error = -1;

  struct entry {
    run& all;
    explicit entry(run& r) : all(r) { all.most = std::max(all.most, ++all.running); }
    ~entry() { --all.running; }
  };

  awaitable<int> operation(int i) {
    const entry here(*this);
    in_order = in_order && i == started;
    ++started;
    const plan p = plans[static_cast<std::size_t>(i)];
    if (p.deaf) {
      manual_timer timer(co_await asio::this_coro::executor, p.takes);
      auto deaf = asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable);
      co_await timer.async_wait(std::move(deaf));
    } else {
      co_await detail::sleep_for<manual_clock>(p.takes);
    }
    if (p.fails) {
      if (first_error < 0) first_error = i;
      throw operation_failed(i);
    }
    co_return 10 * i;
  }
  auto numbers() const { return std::views::iota(0, static_cast<int>(plans.size())); }
};

std::vector<plan> any_plans(int fail_percent) {
  const auto n = *rc::gen::inRange<std::size_t>(0, 40);
  std::vector<plan> plans;
  for (std::size_t i = 0; i < n; ++i) {
    plans.push_back({std::chrono::milliseconds{*rc::gen::inRange(0, 20) * 100},
                     *rc::gen::inRange(0, 100) < fail_percent, *rc::gen::inRange(0, 10) == 0});
  }
  return plans;
}

RC_GTEST_PROP(GatherProperty, GivesAllResultsInInputOrderWithinItsLimit, ()) {
  run r(any_plans(20));
  const auto limit = *rc::gen::inRange<std::int64_t>(1, 50);
  const auto one = [&r](int i) { return r.operation(i); };
  const auto results = r.sim.run(map_with_limit(r.numbers(), one, {.limit = limit}, return_exceptions));
  RC_ASSERT(results.size() == r.plans.size());
  RC_ASSERT(r.most <= limit);
  RC_ASSERT(r.most == std::min<std::int64_t>(r.most, static_cast<std::int64_t>(r.plans.size())));
  RC_ASSERT(r.running == 0);
  RC_ASSERT(r.in_order);
  for (std::size_t i = 0; i < results.size(); ++i) {
    RC_ASSERT(results[i].has_value() != r.plans[i].fails);
    if (results[i].has_value()) RC_ASSERT(*results[i] == 10 * static_cast<int>(i));
  }
}

RC_GTEST_PROP(GatherProperty, ThrowsTheFirstErrorInTimeAndLeavesNothingRunning, ()) {
  run r(any_plans(10));
  const auto limit = *rc::gen::inRange<std::int64_t>(1, 10);
  const auto one = [&r](int i) { return r.operation(i); };
  int thrown = -1;
  try {
    const auto results = r.sim.run(map_with_limit(r.numbers(), one, {.limit = limit}));
    RC_ASSERT(results.size() == r.plans.size());
    for (std::size_t i = 0; i < results.size(); ++i) RC_ASSERT(results[i] == 10 * static_cast<int>(i));
  } catch (const operation_failed& e) {
    thrown = e.index;
  }
  RC_ASSERT(thrown == r.first_error);
  RC_ASSERT(r.most <= limit);
  RC_ASSERT(r.running == 0);
  RC_ASSERT(r.in_order);
}

RC_GTEST_PROP(GatherProperty, StartsNothingAfterACancellationAndLeavesNothingRunning, ()) {
  run r(any_plans(5));
  const auto limit = *rc::gen::inRange<std::int64_t>(1, 10);
  const auto when = std::chrono::milliseconds{*rc::gen::inRange(0, 60) * 50};
  std::int64_t running_at_end = -1;
  const auto body = [&]() -> awaitable<void> {
    const auto one = [&r](int i) { return r.operation(i); };
    const gather_options options{.limit = limit};
    try {
      co_await map_with_limit(r.numbers(), one, options);
    } catch (...) {
      running_at_end = r.running;
      throw;
    }
    running_at_end = r.running;
  };
  test::task t(r.sim, body());
  int started = -1;
  r.sim.at(when, [&] {
    if (t.done()) return;
    t.cancel();
    started = r.started;
  });
  r.sim.run();
  RC_ASSERT(t.done());
  RC_ASSERT(running_at_end == 0);
  RC_ASSERT(r.most <= limit);
  if (started >= 0) RC_ASSERT(r.started == started);
}

}  // namespace
}  // namespace dspu::aio
