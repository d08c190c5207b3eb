// What a limiter does beyond one rate and one line: several bandwidths, changes while it runs, classes,
// shadow mode.
#include "dspu/aio/rate_limiter_options.hpp"

#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>
#include <boost/asio/bind_executor.hpp>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;
using ::testing::ElementsAre;

struct served {
  int id;
  duration at;
  bool operator==(const served&) const = default;
};
void PrintTo(const served& s, std::ostream* os) { *os << s.id << " at " << s.at.count() << " ns"; }

struct RateLimiterOptions : ::testing::Test {
  simulator sim;
  std::vector<served> order;
  std::list<test::task> tasks;

  awaitable<void> take(limiter& l, double n, int id, acquire_options o) {
    co_await l.acquire(n, o);
    order.push_back({id, sim.elapsed()});
  }
  // Begins to wait, before this returns.
  test::task& start(limiter& l, double n, int id, acquire_options o = {}) {
    auto& t = tasks.emplace_back(sim, take(l, n, id, o));
    sim.run_for(0s);
    return t;
  }
  core::instant at(duration elapsed) { return core::instant_of(sim.now() - sim.elapsed() + elapsed); }
  std::vector<int> ids() const {
    std::vector<int> all;
    for (const auto& s : order) all.push_back(s.id);
    return all;
  }
};

// Several bandwidths

TEST_F(RateLimiterOptions, KeepToEveryBandwidth) {
  limiter l{{.rate = 10, .also = {{.rate = 15, .per = 1h}}}};
  EXPECT_EQ(l.capacity(), 10);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(l.try_acquire());
  EXPECT_FALSE(l.try_acquire());
  EXPECT_EQ(l.tokens(), 0);
  for (int id = 1; id <= 6; ++id) start(l, 1, id);
  EXPECT_FALSE(l.try_acquire());
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{1, 100ms}, served{2, 200ms}, served{3, 300ms}, served{4, 400ms},
                                 served{5, 500ms}, served{6, 4min}));
  EXPECT_EQ(l.tokens(), 0);
}

TEST_F(RateLimiterOptions, RefuseADeadlineThatTheSlowerBandwidthCannotMeet) {
  limiter l{{.rate = 10, .also = {{.rate = 1, .per = 1min}}}};
  EXPECT_TRUE(l.try_acquire());
  EXPECT_TRUE(start(l, 1, 1, {.deadline = at(60s - 1ns)}).failed_with<deadline_error>());
  start(l, 1, 2, {.deadline = at(60s)});
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{2, 60s}));
}

TEST_F(RateLimiterOptions, RefuseTooManyBandwidthsAndAmountsAboveTheLeast) {
  const bandwidth one{.rate = 1};
  EXPECT_THROW(limiter({.rate = 1, .also = {one, one, one, one}}), std::invalid_argument);
  EXPECT_THROW(limiter({.rate = 1, .also = {{.rate = 0}}}), std::invalid_argument);
  limiter l{{.rate = 10, .also = {{.rate = 3, .per = 1h}}}};
  EXPECT_THROW(l.try_acquire(4), std::invalid_argument);
}

// Changes while it runs

TEST_F(RateLimiterOptions, PlanTheLineAnewWhenTheRateChanges) {
  limiter l{{.rate = 1, .capacity = 2.0}};
  l.try_acquire(2);
  start(l, 1, 1);
  start(l, 1, 2);
  sim.run_until(500ms);
  l.set_rate(10);
  EXPECT_EQ(l.rate(), 10);
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{1, 550ms}, served{2, 650ms})) << "half a token was there";
  l.set_rate(1, 10s);
  EXPECT_FALSE(l.try_acquire());
  start(l, 1, 3);
  sim.run();
  EXPECT_EQ(order.back(), (served{3, 10650ms}));
}

TEST_F(RateLimiterOptions, KeepTheFastPathRightThroughManyChanges) {
  limiter l{{.rate = 1, .capacity = 1000.0}};
  for (int i = 0; i < 300; ++i) {  // more than it keeps lanes for
    l.set_rate(1 + i % 3);
    EXPECT_TRUE(l.try_acquire());
    EXPECT_EQ(l.tokens(), 999 - i);
  }
  l.set_capacity(10);
  EXPECT_EQ(l.capacity(), 10);
  EXPECT_EQ(l.rate(), 3);
  EXPECT_FALSE(l.try_acquire(10) && l.try_acquire(1));
  sim.run(l.acquire(3));
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(RateLimiterOptions, RefuseAtOnceThoseWhomALowerRateLeavesTooLate) {
  limiter l{{.rate = 10, .capacity = 10.0}};
  l.try_acquire(10);
  start(l, 1, 1);
  auto& late = start(l, 1, 2, {.deadline = at(1s)});
  start(l, 1, 3, {.deadline = at(2s)});
  start(l, 1, 4, {.deadline = at(300ms)});  // refused from the start
  EXPECT_EQ(l.statistics().refused, 1U);
  l.set_rate(1);
  EXPECT_EQ(l.statistics().refused, 2U);
  sim.run_for(0s);
  ASSERT_TRUE(late.failed_with<deadline_error>());
  try {
    std::rethrow_exception(late.error());
  } catch (const deadline_error& e) {
    EXPECT_EQ(e.needed(), 2s);
    EXPECT_EQ(e.remaining(), 1s);
  }
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{1, 1s}, served{3, 2s})) << "it has moved up";
}

TEST_F(RateLimiterOptions, RefuseThoseWhoWaitForMoreThanTheNewCapacity) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  auto& large = start(l, 6, 1);
  std::optional<error_code> ended;
  const auto note = [&](error_code ec) { ended = ec; };
  l.async_acquire(7, asio::bind_executor(sim.get_executor(), note));
  start(l, 5, 2);
  l.set_capacity(5);
  sim.run_for(0s);
  EXPECT_TRUE(large.failed_with<std::invalid_argument>());
  EXPECT_EQ(ended, std::errc::invalid_argument);
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{2, 5s}));
  EXPECT_THROW(l.try_acquire(6), std::invalid_argument);
}

TEST_F(RateLimiterOptions, ChangeNothingWhenTheChangeIsBad) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  EXPECT_THROW(l.set_rate(-1), std::invalid_argument);
  EXPECT_THROW(l.set_rate(1, 0s), std::invalid_argument);
  EXPECT_THROW(l.set_capacity(0), std::invalid_argument);
  EXPECT_TRUE(l.try_acquire(10));
  EXPECT_EQ(l.rate(), 1);
}

TEST_F(RateLimiterOptions, EmptyTheBucketOnDrain) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.drain();
  EXPECT_EQ(l.tokens(), 0);
  start(l, 2, 1);
  sim.run_until(1s);
  l.drain();
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{1, 3s})) << "the token that was made for it is gone too";
}

TEST_F(RateLimiterOptions, LetNobodyGoBeforeTheInstantItIsDrainedUntil) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  auto& waits_too_long = start(l, 10, 0);
  EXPECT_TRUE(waits_too_long.done());
  order.clear();
  start(l, 1, 1);
  auto& late = start(l, 1, 2, {.deadline = at(20s)});
  l.drain_until(at(30s));
  sim.run_for(0s);
  EXPECT_TRUE(late.failed_with<deadline_error>());
  sim.run_until(30s);
  EXPECT_FALSE(l.try_acquire(1));
  sim.run();
  EXPECT_THAT(order, ElementsAre(served{1, 31s}));
}

// Classes

TEST_F(RateLimiterOptions, ServeTheHigherClassFirstAndEachInItsShare) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 1; id <= 3; ++id) start(l, 1, id, {.priority = priority::low});
  for (int id = 11; id <= 16; ++id) start(l, 1, id);
  for (int id = 21; id <= 25; ++id) start(l, 1, id, {.priority = priority::high});
  EXPECT_FALSE(l.try_acquire());
  sim.run();
  EXPECT_THAT(ids(), ElementsAre(21, 11, 1, 22, 23, 24, 25, 12, 13, 14, 15, 2, 16, 3));
  EXPECT_EQ(sim.elapsed(), 14s);
}

TEST_F(RateLimiterOptions, StarveNoClassHoweverManyOthersCome) {
  limiter l{{.rate = 10, .capacity = 5.0, .wake_interval = 0ns}};
  l.try_acquire(5);
  for (int id = 0; id < 10; ++id) start(l, 1, id, {.priority = priority::low});
  bool over = false;
  const auto flood = [&](priority p) -> awaitable<void> {
    const acquire_options o{.priority = p};
    while (!over) co_await l.acquire(5, o);
  };
  for (int i = 0; i < 3; ++i) {
    tasks.emplace_back(sim, flood(priority::high));
    tasks.emplace_back(sim, flood(priority::normal));
  }
  for (double k = 1; k <= 10; ++k) {
    while (order.size() < static_cast<std::size_t>(k)) ASSERT_TRUE(sim.step());
    const double made = 10 * std::chrono::duration<double>(order.back().at).count();
    EXPECT_LE(made, 21 * k + 22 * 5);
    EXPECT_GE(made, 10 * (k - 1)) << "the others are served too";
  }
  EXPECT_TRUE(std::ranges::is_sorted(ids()));
  over = true;
  sim.run();
}

TEST_F(RateLimiterOptions, CountTheClassesAheadAgainstADeadline) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 1; id <= 4; ++id) start(l, 1, id);
  EXPECT_TRUE(
      start(l, 1, 21, {.deadline = at(1s - 1ns), .priority = priority::high}).failed_with<deadline_error>());
  start(l, 1, 22, {.deadline = at(1s), .priority = priority::high});
  EXPECT_TRUE(
      start(l, 1, 31, {.deadline = at(3s - 1ns), .priority = priority::low}).failed_with<deadline_error>())
      << "one high and one normal go first";
  start(l, 1, 32, {.deadline = at(3s), .priority = priority::low});
  sim.run();
  EXPECT_THAT(ids(), ElementsAre(22, 1, 32, 2, 3, 4));
}

TEST_F(RateLimiterOptions, TellAWaiterAtItsDeadlineThatOthersWentFirst) {
  limiter l{{.rate = 1, .capacity = 3.0}};
  l.try_acquire(3);
  auto& passed = start(l, 1, 1, {.deadline = at(1500ms), .priority = priority::low});
  l.set_rate(1);  // all plans are looked at, and still hold
  start(l, 3, 2, {.priority = priority::high});
  start(l, 1, 3, {.deadline = at(10s), .priority = priority::low});
  sim.run();
  ASSERT_TRUE(passed.failed_with<deadline_error>());
  EXPECT_EQ(passed.ended_at(), sim.now() - sim.elapsed() + 1500ms);
  EXPECT_THAT(order, ElementsAre(served{2, 3s}, served{3, 4s}));
}

// Shadow mode and statistics

TEST_F(RateLimiterOptions, NeitherWaitNorRefuseInShadow) {
  limiter l{{.rate = 1, .capacity = 2.0, .max_waiters = 0, .shadow = true}};
  const auto all = [&]() -> awaitable<void> {
    for (int i = 0; i < 5; ++i) co_await l.acquire();
  };
  sim.run(all());
  EXPECT_TRUE(l.try_acquire());
  EXPECT_TRUE(start(l, 1, 1, {.deadline = at(3s)}).succeeded());
  EXPECT_TRUE(start(l, 1, 2, {.deadline = at(4s)}).succeeded());
  EXPECT_EQ(sim.elapsed(), 0s);
  const auto s = l.statistics();
  EXPECT_EQ(s.granted, 6U);
  EXPECT_EQ(s.waited, 4U) << "three, and the one whose deadline it could meet";
  EXPECT_EQ(s.refused, 2U) << "the try and the other deadline";
  EXPECT_THROW(l.try_acquire(3), std::invalid_argument);
  sim.run_for(4s);
  EXPECT_EQ(l.tokens(), 0) << "those who would wait would have had them";
}

TEST_F(RateLimiterOptions, CountEverythingWhenToldTo) {
  for (const bool all : {false, true}) {
    limiter l{{.rate = 1, .capacity = 2.0, .max_waiters = 1, .count_all = all}};
    l.try_acquire();
    l.try_acquire();
    EXPECT_FALSE(l.try_acquire());
    start(l, 1, 1);
    start(l, 1, 2);  // the queue is full
    auto s = l.statistics();
    EXPECT_EQ(s.waiting, 1U);
    EXPECT_EQ(s.waited, 1U);
    EXPECT_EQ(s.granted, all ? 2U : 0U);
    EXPECT_EQ(s.refused, all ? 2U : 1U);
    sim.run_for(1s);
    s = l.statistics();
    EXPECT_EQ(s.waiting, 0U);
    EXPECT_EQ(s.granted, all ? 3U : 1U);
    EXPECT_EQ(s.tokens, 0);
  }
}

}  // namespace
}  // namespace dspu::aio
