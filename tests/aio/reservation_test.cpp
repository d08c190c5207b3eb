#include "dspu/aio/reservation.hpp"

#include "dspu/aio/rate_limiter.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;
using ::testing::ElementsAre;

struct Reservation : ::testing::Test {
  simulator sim;
  std::vector<int> order;
  std::list<test::task> tasks;

  awaitable<void> take(limiter& l, double n, int id) {
    co_await l.acquire(n);
    order.push_back(id);
  }
  test::task& start(limiter& l, double n, int id) {
    auto& t = tasks.emplace_back(sim, take(l, n, id));
    sim.run_for(0s);
    return t;
  }
  core::instant at(duration elapsed) { return core::instant_of(sim.now() - sim.elapsed() + elapsed); }
};

TEST_F(Reservation, IsReadyAtOnceWhereTokensAre) {
  limiter l{{.rate = 1, .capacity = 5.0}};
  auto r = l.reserve(3);
  EXPECT_EQ(r.ready_at(), at(0s));
  EXPECT_EQ(l.tokens(), 2);
  EXPECT_TRUE(r.use());
  EXPECT_FALSE(r.held());
  EXPECT_FALSE(r.use()) << "once";
  EXPECT_EQ(r.ready_at(), core::instant::max());
  EXPECT_EQ(l.tokens(), 2);
}

TEST_F(Reservation, TellsWhenItMayGoAndNotBefore) {
  limiter l{{.rate = 1, .capacity = 5.0}};
  l.try_acquire(5);
  auto r = l.reserve(3);
  EXPECT_EQ(r.ready_at(), at(3s));
  EXPECT_FALSE(l.try_acquire(1)) << "it stands in line";
  sim.run_for(3s - 1ns);
  EXPECT_FALSE(r.use());
  EXPECT_TRUE(r.held());
  sim.run_for(1ns);
  EXPECT_TRUE(r.use());
}

TEST_F(Reservation, KeepsItsPlaceAmongThoseWhoWait) {
  limiter l{{.rate = 1, .capacity = 5.0}};
  l.try_acquire(5);
  start(l, 1, 1);
  auto r = l.reserve(2);
  start(l, 1, 2);
  EXPECT_EQ(l.waiters(), 3U);
  EXPECT_EQ(r.ready_at(), at(3s));
  sim.run_until(2s);
  EXPECT_THAT(order, ElementsAre(1));
  sim.run();
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_EQ(sim.elapsed(), 4s) << "nobody has looked at the reservation, and it has its tokens";
  EXPECT_EQ(r.ready_at(), at(4s)) << "when it was seen to be due";
  EXPECT_TRUE(r.use());
  EXPECT_EQ(l.tokens(), 0);
}

// golang/go#56924, #69419: there a cancelled reservation gives back too little once others have reserved
// after it.
TEST_F(Reservation, GivesBackAllOfItsTokensAndLetsLaterReservationsMoveUp) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  auto first = l.reserve(5);
  auto second = l.reserve(5);
  auto third = l.reserve(2);
  EXPECT_EQ(third.ready_at(), at(12s));
  first.cancel();
  EXPECT_EQ(second.ready_at(), at(5s));
  EXPECT_EQ(third.ready_at(), at(7s));
  { const auto gone = std::move(second); }
  EXPECT_EQ(third.ready_at(), at(2s));
  third.cancel();
  sim.run_for(1s);
  EXPECT_EQ(l.tokens(), 1);
  EXPECT_TRUE(l.try_acquire());
}

TEST_F(Reservation, LetsWaitersMoveUpWhenItIsCancelled) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  auto ready = l.reserve(10);
  auto waiting = l.reserve(4);
  start(l, 1, 1);
  waiting.cancel();
  sim.run_for(1s);
  EXPECT_THAT(order, ElementsAre(1)) << "at 1 s, not at 5 s";
  start(l, 5, 2);
  ready.cancel();
  sim.run_for(0s);
  EXPECT_THAT(order, ElementsAre(1, 2)) << "ten came back";
  EXPECT_EQ(l.tokens(), 5);
}

TEST_F(Reservation, OpensTheLineOnceItIsDueThoughNobodyIsWoken) {
  limiter l{{.rate = 1, .capacity = 2.0}};
  l.try_acquire(2);
  auto r = l.reserve(2);
  sim.run_for(2s);
  EXPECT_FALSE(l.try_acquire()) << "its tokens are its own";
  sim.run_for(1s);
  EXPECT_TRUE(l.try_acquire()) << "this one came after it was due";
  EXPECT_EQ(l.waiters(), 0U);
  EXPECT_TRUE(r.use());
}

TEST_F(Reservation, MayGoWhenItSaysSoThoughTheWakeOfThoseInFrontIsStillToCome) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  start(l, 1, 1);
  auto r = l.reserve(1);
  start(l, 1, 2);
  manual_clock::advance(2s);  // the loop is busy: nobody has been woken
  EXPECT_EQ(r.ready_at(), at(2s));
  EXPECT_TRUE(r.use());
  sim.run_for(0s);
  EXPECT_THAT(order, ElementsAre(1));
  sim.run();
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Reservation, MovesWithTheRateAndTheDrain) {
  limiter l{{.rate = 1, .capacity = 10.0}};
  l.try_acquire(10);
  auto r = l.reserve(4);
  l.set_rate(2);
  EXPECT_EQ(r.ready_at(), at(2s));
  l.drain_until(at(10s));
  EXPECT_EQ(r.ready_at(), at(12s));
  l.set_capacity(3);
  EXPECT_EQ(r.ready_at(), core::instant::max()) << "too large now";
  sim.run_for(1h);
  EXPECT_FALSE(r.use());
  EXPECT_TRUE(l.try_acquire(3));
}

TEST_F(Reservation, IsRefusedLikeAnyOther) {
  limiter l{{.rate = 1, .capacity = 2.0, .max_waiters = 1}};
  l.try_acquire(2);
  EXPECT_THROW(l.reserve(3), std::invalid_argument);
  EXPECT_THROW(l.reserve(2, {.deadline = at(1s)}), deadline_error);
  const auto first = l.reserve(2, {.deadline = at(2s)});
  EXPECT_THROW(l.reserve(), queue_full_error);
  EXPECT_EQ(l.statistics().refused, 2U);
}

TEST_F(Reservation, GoesBeforeALowerClass) {
  limiter l{{.rate = 1, .capacity = 2.0}};
  l.try_acquire(2);
  start(l, 1, 1);
  start(l, 1, 2);
  auto r = l.reserve(1, {.priority = priority::high});
  EXPECT_EQ(r.ready_at(), at(1s));
  sim.run();
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST_F(Reservation, OutlivesItsLimiter) {
  std::optional<limiter> l{std::in_place, rate_limiter_options{.rate = 1, .capacity = 1.0}};
  auto ready = l->reserve();
  auto waiting = l->reserve();
  l.reset();
  EXPECT_EQ(waiting.ready_at(), core::instant::max());
  EXPECT_FALSE(waiting.use());
  ready = std::move(waiting);
}

}  // namespace
}  // namespace dspu::aio
