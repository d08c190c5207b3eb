// Policies that several event loops share, one of which is busy or stands still: the others do not wait for it.
//
// The simulator drives one loop, and with it the time; the other one is run by hand, or not at all.
#include "dspu/aio/adaptive_concurrency.hpp"
#include "dspu/aio/bulkhead.hpp"
#include "dspu/aio/rate_limiter.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <gtest/gtest.h>

#include <list>
#include <optional>
#include <thread>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::simulator;
using limiter = basic_rate_limiter<manual_clock>;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What happened, and when.
struct entry {
  int id;
  manual_clock::duration at;
  bool operator==(const entry&) const = default;
};
void PrintTo(const entry& e, std::ostream* out) { *out << e.id << " at " << e.at.count() / 1'000'000 << " ms"; }

struct SeveralLoops : ::testing::Test {
  simulator sim;
  std::optional<asio::io_context> other{std::in_place, 1};
  std::vector<entry> log;
  std::list<test::task> tasks;

  void note(int id) { log.push_back({id, sim.elapsed()}); }
  // All that is ready there.
  void turn() {
    other->restart();
    other->poll();
  }
  // The other loop is run from then on.
  void live_from(manual_clock::duration from, manual_clock::duration until) {
    for (auto t = from; t < until; t += 1ms) sim.at(t, [this] { turn(); });
  }

  awaitable<void> take(limiter& l, double n, int id) {
    co_await l.acquire(n);
    note(id);
  }
  template <class Policy>
  awaitable<void> hold(Policy& p, duration d, int id) {
    const auto op = [this, d, id]() -> awaitable<void> {
      note(id);
      asio::basic_waitable_timer<manual_clock> timer(co_await asio::this_coro::executor, d);
      co_await timer.async_wait(asio::use_awaitable);
    };
    co_await p.call(op);
  }
  void here(awaitable<void> a) { tasks.emplace_back(sim, std::move(a)); }
  template <class Executor>
  test::task& on(const Executor& ex, awaitable<void> a) {
    return tasks.emplace_back(ex, std::move(a));
  }
  test::task& there(awaitable<void> a) { return on(other->get_executor(), std::move(a)); }
};

using SeveralLoopsLimiter = SeveralLoops;

TEST_F(SeveralLoopsLimiter, ServesWhoWaitsBehindALoopThatStandsStill) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  there(take(l, 1, 1));
  turn();
  here(take(l, 1, 2));
  sim.run();
  // Due at 1 s; looked at 5 ms later, and handed over after another 5 ms.
  EXPECT_THAT(log, ElementsAre(entry{2, 1010ms}));
  EXPECT_EQ(l.waiters(), 1U);
}

TEST_F(SeveralLoopsLimiter, ServesThoseWhoWaitBehindAWholeLineOfOneThatStandsStill) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 0; id < 1000; ++id) there(take(l, 1, id));
  turn();
  here(take(l, 1, 2000));
  here(take(l, 1, 2001));
  sim.run();
  EXPECT_THAT(log, ElementsAre(entry{2000, 1010ms}, entry{2001, 2000ms}));
}

TEST_F(SeveralLoopsLimiter, HandsOverATokenThatIsNotCollected) {
  limiter l{{.rate = 1, .per = 1000s, .capacity = 1.0}};
  l.try_acquire();
  here(take(l, 1, 1));
  sim.run_until(0s);
  there(take(l, 1, 2));
  turn();
  sim.run_until(1500s);
  here(take(l, 1, 3));
  sim.run_until(2000s);  // it was the turn of 2, and its loop was not run
  EXPECT_THAT(log, ElementsAre(entry{1, 1000s}));
  sim.run();
  EXPECT_THAT(log, ElementsAre(entry{1, 1000s}, entry{3, 2000s + 10ms}));
}

TEST_F(SeveralLoopsLimiter, LetsThoseWhoseLoopComesBackGoFirstAndInOrder) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 1; id <= 3; ++id) there(take(l, 1, id));
  turn();
  for (int id = 4; id <= 8; ++id) here(take(l, 1, id));
  live_from(3500ms, 10s);
  sim.run();
  EXPECT_THAT(log, ElementsAre(entry{4, 1010ms}, entry{5, 2s}, entry{6, 3s}, entry{1, 4s}, entry{2, 5s}, entry{3, 6s},
                               entry{7, 7s}, entry{8, 8s}));
  EXPECT_EQ(l.statistics().granted, 9U - 1) << "who was given one twice has taken it once";
}

TEST_F(SeveralLoopsLimiter, GivesNoBurstToALoopThatComesBack) {
  limiter l{{.rate = 100, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 0; id < 100; ++id) there(take(l, 1, id));
  turn();
  // Another loop comes by all the time.
  for (int i = 1; i < 1000; ++i) sim.at(i * 10ms, [&] { here(take(l, 1, 1000)); });
  sim.run_until(9s);
  const auto before = log.size();
  turn();
  EXPECT_LE(log.size() - before, 3U);
}

TEST_F(SeveralLoopsLimiter, LosesNobodyWhoseGrantWasHandedOverAndWhoIsCancelled) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  auto& cancelled = there(take(l, 1, 1));
  auto& passed_over = there(take(l, 1, 2));
  there(take(l, 1, 3));
  turn();
  here(take(l, 1, 4));
  sim.run_until(1500ms);
  cancelled.cancel();
  passed_over.cancel();
  turn();
  EXPECT_TRUE(cancelled.aborted());
  EXPECT_TRUE(passed_over.aborted());
  live_from(1501ms, 3s);
  sim.run();
  EXPECT_THAT(log, ElementsAre(entry{4, 1010ms}, entry{3, 2s}));
  EXPECT_EQ(l.waiters(), 0U);
}

TEST_F(SeveralLoopsLimiter, AbortsAllWhenDestroyed) {
  std::optional<limiter> l{std::in_place, rate_limiter_options{.rate = 1, .capacity = 1.0}};
  l->try_acquire();
  auto& handed_over = there(take(*l, 1, 1));
  auto& passed_over = there(take(*l, 1, 2));
  turn();
  here(take(*l, 1, 4));
  sim.run_until(1500ms);
  l.reset();
  turn();
  EXPECT_TRUE(handed_over.aborted());
  EXPECT_TRUE(passed_over.aborted());
  EXPECT_THAT(log, ElementsAre(entry{4, 1010ms}));
}

TEST_F(SeveralLoopsLimiter, OutlivesALoopThatStoodStill) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  asio::co_spawn(*other, take(l, 1, 1), asio::detached);
  asio::co_spawn(*other, take(l, 1, 2), asio::detached);
  turn();
  here(take(l, 1, 3));
  sim.run_until(1500ms);
  other.reset();
  EXPECT_EQ(l.waiters(), 0U);
  here(take(l, 1, 4));
  sim.run();
  EXPECT_THAT(log, ElementsAre(entry{3, 1010ms}, entry{4, 2s}));
}

TEST_F(SeveralLoopsLimiter, HandsOverWhatStrandsOfALoopThatStandsStillDoNotCollect) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 1; id <= 3; ++id) on(asio::make_strand(*other), take(l, 1, id));
  turn();
  here(take(l, 1, 4));
  here(take(l, 1, 5));
  sim.run_until(3500ms);
  EXPECT_THAT(log, ElementsAre(entry{4, 1010ms}, entry{5, 2s}));
  live_from(3500ms, 10s);
  sim.run();
  EXPECT_EQ(log.size(), 5U);
}

TEST_F(SeveralLoopsLimiter, RefusesWhoseDeadlinePassedWhileTheirLoopStoodStill) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  std::exception_ptr refused;
  const auto in_time = [&]() -> awaitable<void> {
    try {
      co_await l.acquire(1, {.deadline = core::instant_of(manual_clock::now() + 2s)});
      note(1);
    } catch (...) {
      refused = std::current_exception();
    }
  };
  there(in_time());
  turn();
  for (int id = 2; id < 10; ++id) here(take(l, 1, id));
  sim.run_until(5s + 1ms);
  turn();
  ASSERT_TRUE(refused);
  EXPECT_THROW(std::rethrow_exception(refused), deadline_error);
}

TEST_F(SeveralLoopsLimiter, LetsATryPassWhoseTurnNobodyTakes) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  there(take(l, 1, 1));
  turn();
  sim.run_until(10s);
  EXPECT_FALSE(l.try_acquire()) << "it is the turn of 1, whose loop is called";
  sim.run_until(11s);
  EXPECT_TRUE(l.try_acquire());
}

TEST_F(SeveralLoopsLimiter, LetsAllGoInShadowAlsoThoseWhoComeBack) {
  limiter l{{.rate = 1, .capacity = 1.0}};
  l.try_acquire();
  for (int id = 1; id <= 3; ++id) there(take(l, 1, id));
  turn();
  here(take(l, 1, 4));
  sim.run_until(1500ms);
  l.reconfigure({.rate = 1, .capacity = 1.0, .shadow = true});
  turn();
  turn();
  EXPECT_THAT(log, ElementsAre(entry{4, 1010ms}, entry{1, 1500ms}, entry{2, 1500ms}, entry{3, 1500ms}));
}

template <class Policy>
struct SeveralLoopsPlaces : SeveralLoops {};

struct one_place_bulkhead : basic_bulkhead<manual_clock> {
  one_place_bulkhead() : basic_bulkhead({.limit = 1, .max_queue = 100}) {}
};
struct one_place_adaptive : basic_adaptive_concurrency<manual_clock> {
  one_place_adaptive() : basic_adaptive_concurrency({.initial = 1, .max = 1, .max_queue = 100}) {}
};
using with_places = ::testing::Types<one_place_bulkhead, one_place_adaptive>;
TYPED_TEST_SUITE(SeveralLoopsPlaces, with_places);

TYPED_TEST(SeveralLoopsPlaces, HandOverWhatALoopDoesNotCollect) {
  TypeParam p;
  this->here(this->hold(p, 1s, 1));
  this->sim.run_until(0s);
  for (int id = 2; id <= 4; ++id) this->there(this->hold(p, 1s, id));
  this->turn();
  this->here(this->hold(p, 1s, 5));
  this->here(this->hold(p, 1s, 6));
  this->sim.run();
  EXPECT_THAT(this->log, ElementsAre(entry{1, 0s}, entry{5, 1005ms}, entry{6, 2005ms}));
  EXPECT_EQ(p.in_flight(), 0);
  EXPECT_EQ(p.waiting(), 3);
  this->turn();
  EXPECT_EQ(this->log.back(), (entry{2, 3005ms}));
  for (int s = 4; s < 8; ++s) {
    this->sim.run_until(s * 1s + 10ms);
    this->turn();
    this->turn();
  }
  EXPECT_EQ(this->log.size(), 6U);
  EXPECT_EQ(p.in_flight(), 0);
}

TYPED_TEST(SeveralLoopsPlaces, HandOverToOneWhoCameLater) {
  TypeParam p;
  this->here(this->hold(p, 1s, 1));
  this->sim.run_until(0s);
  this->there(this->hold(p, 1s, 2));
  this->turn();
  this->sim.run_until(5s);  // the place has been 2's for 4 s
  this->here(this->hold(p, 1s, 3));
  this->sim.run();
  EXPECT_THAT(this->log, ElementsAre(entry{1, 0s}, entry{3, 5005ms}));
}

TYPED_TEST(SeveralLoopsPlaces, SurviveALoopThatStoodStill) {
  TypeParam p;
  this->here(this->hold(p, 1s, 1));
  this->sim.run_until(0s);
  asio::co_spawn(*this->other, this->hold(p, 1s, 2), asio::detached);
  asio::co_spawn(*this->other, this->hold(p, 1s, 3), asio::detached);
  this->turn();
  this->here(this->hold(p, 1s, 4));
  this->sim.run_until(1500ms);
  EXPECT_EQ(p.waiting(), 2);
  this->other.reset();
  this->sim.run();
  EXPECT_EQ(p.waiting(), 0);
  EXPECT_EQ(p.in_flight(), 0);
}

// Real threads: one loop is busy, the other has to be served meanwhile.
TEST(SeveralLoopsWallClock, ServeALoopWhileAnotherIsBusy) {
  rate_limiter l{{.rate = 20, .capacity = 1.0}};
  bulkhead b{{.limit = 1, .max_queue = 10}};
  l.try_acquire();
  asio::io_context busy{1};
  asio::io_context live{1};
  std::atomic<bool> served{false};
  const auto nothing = []() -> awaitable<void> { co_return; };
  const auto wait = [&]() -> awaitable<void> {
    co_await l.acquire();
    co_await b.call(nothing);
  };
  const auto hold = [&]() -> awaitable<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 30ms);
    co_await timer.async_wait(asio::use_awaitable);
  };
  asio::co_spawn(live, b.call(hold), asio::detached);
  live.poll();
  asio::co_spawn(busy, b.call(nothing), asio::detached);
  asio::co_spawn(busy, wait(), asio::detached);
  busy.poll();
  asio::post(busy, [&] {
    while (!served) std::this_thread::sleep_for(1ms);
  });
  asio::co_spawn(live, wait(), [&](std::exception_ptr e) {
    EXPECT_FALSE(e);
    served = true;
  });
  std::jthread thread([&] { busy.run(); });
  live.run();
  EXPECT_TRUE(served);
}

}  // namespace
}  // namespace dspu::aio
