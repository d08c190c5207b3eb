#include "dspu/testing/simulator.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace dspu::testing {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using boost::asio::use_awaitable;

awaitable<void> sleep_for(manual_clock::duration d) {
  manual_timer timer(co_await boost::asio::this_coro::executor, d);
  co_await timer.async_wait(use_awaitable);
}

awaitable<void> note_after(manual_clock::duration d, std::vector<int>& notes, int note) {
  co_await sleep_for(d);
  notes.push_back(note);
}

TEST(Simulator, JumpsToEachDeadlineInTurn) {
  simulator sim;
  std::vector<int> notes;
  sim.spawn(note_after(3h, notes, 3));
  sim.spawn(note_after(1ns, notes, 1));
  sim.spawn(note_after(2s, notes, 2));
  sim.run();
  EXPECT_THAT(notes, ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(sim.elapsed(), 3h);
}

TEST(Simulator, GivesTheResultAndTheErrorOfATask) {
  simulator sim;
  const auto answer = []() -> awaitable<int> {
    co_await sleep_for(5s);
    co_return 42;
  };
  const auto failure = []() -> awaitable<void> {
    co_await sleep_for(1s);
    throw std::domain_error("no");
  };
  EXPECT_EQ(sim.run(answer()), 42);
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_THROW(sim.run(failure()), std::domain_error);
  sim.spawn(failure());
  EXPECT_THROW(sim.run(), std::domain_error);
}

TEST(Simulator, ReportsASimulationThatCannotGoOn) {
  simulator sim;
  const auto waits_for_ever = []() -> awaitable<void> {
    manual_timer timer(co_await boost::asio::this_coro::executor, manual_clock::time_point::max());
    co_await timer.async_wait(use_awaitable);
  };
  sim.spawn(waits_for_ever());
  sim.spawn(sleep_for(1s));
  try {
    sim.run();
    FAIL();
  } catch (const simulation_stuck& e) {
    EXPECT_EQ(e.waiting(), 1U);
    EXPECT_STREQ(e.what(),
                 "simulation stuck at 1 s: 1 task waits, nothing is ready and no timer of manual_clock is armed (timers of "
                 "other clocks, such as steady_timer, and sockets are not driven)");
  }
}

TEST(Simulator, DoesNotJumpToADeadlineThatWasCancelled) {
  simulator sim;
  const auto cancels = []() -> awaitable<void> {
    manual_timer far(co_await boost::asio::this_coro::executor, 1h);
    far.async_wait([](const boost::system::error_code&) {});
    co_await sleep_for(1s);
    far.cancel();
    co_await sleep_for(2s);
  };
  sim.run(cancels());
  sim.run();
  EXPECT_EQ(sim.elapsed(), 3s);
}

TEST(Simulator, StopsAtTheInstantAskedFor) {
  simulator sim;
  std::vector<int> notes;
  sim.spawn(note_after(2s, notes, 1));
  sim.spawn(note_after(2s + 1ns, notes, 2));
  sim.run_until(2s);
  EXPECT_THAT(notes, ::testing::ElementsAre(1));
  EXPECT_EQ(sim.elapsed(), 2s);
  sim.run_for(1h);
  EXPECT_EQ(sim.elapsed(), 1h + 2s);
}

TEST(Simulator, StepsFromOneFunctionToTheNext) {
  simulator sim;
  std::vector<int> notes;
  sim.spawn(note_after(2s, notes, 1));
  EXPECT_TRUE(sim.step());  // up to its sleep
  EXPECT_EQ(sim.elapsed(), 0s);
  EXPECT_TRUE(notes.empty());
  EXPECT_TRUE(sim.step());
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_THAT(notes, ::testing::ElementsAre(1));
  while (sim.step()) {
  }
  EXPECT_EQ(sim.tasks(), 0U);
}

// Waits for a timer that another sets, and then ends as told.
awaitable<int> waits_for(std::shared_ptr<manual_timer> timer, std::exception_ptr error) {
  boost::system::error_code cancelled;
  co_await timer->async_wait(boost::asio::redirect_error(use_awaitable, cancelled));
  if (error) std::rethrow_exception(error);
  co_return 7;
}

TEST(Simulator, LetsATaskThatItGaveUpEndInALaterRun) {
  simulator sim;
  const auto timer = std::make_shared<manual_timer>(sim.context(), manual_clock::time_point::max());
  EXPECT_THROW(sim.run(waits_for(timer, nullptr)), simulation_stuck);
  EXPECT_EQ(sim.tasks(), 1U);
  timer->cancel();
  sim.run();
  EXPECT_EQ(sim.tasks(), 0U);
}

TEST(Simulator, ThrowsTheErrorOfATaskThatItGaveUpInALaterRun) {
  simulator sim;
  const auto timer = std::make_shared<manual_timer>(sim.context(), manual_clock::time_point::max());
  EXPECT_THROW(sim.run(waits_for(timer, std::make_exception_ptr(std::domain_error("late")))), simulation_stuck);
  timer->cancel();
  EXPECT_THROW(sim.run(), std::domain_error);
  EXPECT_EQ(sim.run([]() -> awaitable<int> { co_return 1; }()), 1);
}

TEST(Simulator, GivesResultsThatAreNeitherDefaultMadeNorCopied) {
  class only_moved {
   public:
    explicit only_moved(int v) : value(v) {}
    only_moved(only_moved&&) = default;
    only_moved& operator=(only_moved&&) = delete;
    int value;
  };
  simulator sim;
  const auto task = []() -> awaitable<only_moved> {
    co_await sleep_for(1s);
    co_return only_moved(5);
  };
  EXPECT_EQ(sim.run(task()).value, 5);
}

TEST(Simulator, NeverCallsWhatIsBeyondTheClock) {
  simulator sim;
  bool called = false;
  sim.at(manual_clock::duration::max(), [&] { called = true; });
  sim.run();
  EXPECT_FALSE(called);
  EXPECT_EQ(sim.elapsed(), 0s);
}

TEST(Simulator, CallsAtOnceWhatIsInThePast) {
  simulator sim;
  sim.run_for(1h);
  bool called = false;
  sim.at(manual_clock::duration::min(), [&] { called = true; });
  sim.at(-1s, [&] { called = true; });
  sim.run();
  EXPECT_TRUE(called);
  EXPECT_EQ(sim.elapsed(), 1h);
}

TEST(Simulator, RunsToTheEndOfItsClock) {
  simulator sim;
  std::vector<int> notes;
  sim.spawn(note_after(1h, notes, 1));
  sim.run_for(std::chrono::years{292});
  EXPECT_THAT(notes, ::testing::ElementsAre(1));
  EXPECT_EQ(sim.now(), manual_clock::time_point::max());
  sim.run_for(1h);
  manual_clock::advance(1h);
  EXPECT_EQ(sim.now(), manual_clock::time_point::max());
}

TEST(Simulator, AdvancesWhereTheContextIsRunByHand) {
  simulator sim(1, BOOST_ASIO_CONCURRENCY_HINT_DEFAULT);
  std::vector<int> notes;
  sim.spawn(note_after(2s, notes, 1));
  sim.context().poll();
  EXPECT_TRUE(sim.advance());
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_TRUE(notes.empty());
  sim.context().poll();
  EXPECT_THAT(notes, ::testing::ElementsAre(1));
  EXPECT_FALSE(sim.advance());
}

TEST(Simulator, RefusesASecondOne) {
  simulator sim;
  EXPECT_THROW(simulator{}, std::logic_error);
}

}  // namespace
}  // namespace dspu::testing
