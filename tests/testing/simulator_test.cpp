#include "dspu/testing/simulator.hpp"

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
    EXPECT_STREQ(e.what(), "simulation stuck at 1 s: 1 tasks wait, nothing is ready and no timer is armed");
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

TEST(Simulator, RefusesASecondOne) {
  simulator sim;
  EXPECT_THROW(simulator{}, std::logic_error);
}

}  // namespace
}  // namespace dspu::testing
