#include "dspu/aio/shield.hpp"

#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using testing::simulator;

struct Shield : ::testing::Test {
  simulator sim;
  script op;
  std::vector<std::exception_ptr> unreceived;
  shield_scope scope{[this](std::exception_ptr e) { unreceived.push_back(e); }};
  std::list<test::task> tasks;

  awaitable<void> discard() { co_await scope.run(op()); }
  test::task& start() { return tasks.emplace_back(sim, discard()); }
};

TEST_F(Shield, GivesResultsAndErrorsToACallerThatWaits) {
  op.returns(7, 1s).fails(1s).returns(8);
  EXPECT_EQ(sim.run(scope.run(op())), 7);
  EXPECT_THROW(sim.run(scope.run(op())), scripted_failure);
  EXPECT_EQ(sim.run(scope.run(op())), 8);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(scope.outstanding(), 0U);
  EXPECT_TRUE(unreceived.empty());
}

TEST_F(Shield, LetsTheWorkRunOnWhenTheCallerIsCancelled) {
  op.returns(7, 10s);
  auto& caller = start();
  sim.run_for(2s);
  caller.cancel();
  sim.run_for(0s);
  EXPECT_TRUE(caller.aborted());
  EXPECT_EQ(caller.ended_at(), sim.now());
  EXPECT_EQ(op.running(), 1U);
  EXPECT_EQ(scope.outstanding(), 1U);
  sim.run();
  EXPECT_EQ(op.log().front().how, script::ending::returned);
  EXPECT_EQ(sim.elapsed(), 10s);
  EXPECT_EQ(scope.outstanding(), 0U);
}

TEST_F(Shield, HandsAnErrorThatNobodyReceivesToTheScope) {
  op.fails(10s);
  auto& caller = start();
  sim.run_for(2s);
  caller.cancel();
  sim.run();
  ASSERT_EQ(unreceived.size(), 1U);
  EXPECT_TRUE(test::holds<scripted_failure>(unreceived.front()));
}

TEST_F(Shield, WritesSuchErrorsToStderrByDefault) {
  op.fails(10s);
  const auto body = [&]() -> awaitable<void> { co_await run_with_shield(op()); };
  test::task caller(sim, body());
  sim.run_for(2s);
  caller.cancel();
  ::testing::internal::CaptureStderr();
  sim.run();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "dspu: shielded work failed after its caller had gone: scripted failure\n");
}

TEST_F(Shield, JoinsWhatIsOutstanding) {
  op.returns(1, 5s).returns(2, 8s);
  for (int i = 0; i < 2; ++i) start();
  sim.run_for(1s);
  for (auto& t : tasks) t.cancel();
  sim.run(scope.join());
  EXPECT_EQ(sim.elapsed(), 8s);
  sim.run(scope.join());
  EXPECT_EQ(sim.elapsed(), 8s) << "nothing outstanding: at once";
}

TEST_F(Shield, JoinsForNoLongerThanAsked) {
  op.returns(1, 5s);
  for (int i = 0; i < 100; ++i) start();
  sim.run_for(1s);
  for (auto& t : tasks) t.cancel();
  EXPECT_FALSE(sim.run(scope.join<manual_clock>(1s)));
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(scope.outstanding(), 100U);
  EXPECT_TRUE(sim.run(scope.join<manual_clock>(1h)));
  EXPECT_EQ(sim.elapsed(), 5s);
}

TEST_F(Shield, LeavesTheWorkAloneWhenAJoinIsCancelled) {
  op.returns(1, 5s);
  start();
  const auto body = [&]() -> awaitable<void> { co_await scope.join(); };
  test::task joining(sim, body());
  sim.run_for(1s);
  joining.cancel();
  sim.run();
  EXPECT_TRUE(joining.aborted());
  EXPECT_TRUE(tasks.front().succeeded());
}

TEST_F(Shield, MayBeDestroyedBeforeItsWork) {
  op.fails(5s);
  {
    shield_scope gone([this](std::exception_ptr e) { unreceived.push_back(e); });
    const auto body = [&]() -> awaitable<void> { co_await gone.run(op()); };
    auto& caller = tasks.emplace_back(sim, body());
    sim.run_for(1s);
    caller.cancel();
    sim.run_for(0s);
  }
  sim.run();
  EXPECT_EQ(unreceived.size(), 1U);
}

TEST_F(Shield, ProtectsFromATimeoutAroundIt) {
  op.returns(7, 10s);
  auto shielded = scope.run(op());
  EXPECT_THROW(sim.run(run_with_timeout<manual_clock>(std::move(shielded), 2s)), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(op.running(), 1U);
  sim.run();
  EXPECT_EQ(op.running(), 0U);
}

TEST_F(Shield, DiesWithItsContext) {
  op.hangs();
  std::optional<asio::io_context> doomed(std::in_place, 1);
  asio::co_spawn(*doomed, discard(), asio::detached);
  doomed->poll();
  EXPECT_EQ(scope.outstanding(), 1U);
  doomed.reset();
  EXPECT_EQ(op.running(), 0U);
  EXPECT_EQ(scope.outstanding(), 0U);
}

TEST_F(Shield, ReceivesEachErrorExactlyOnceOnAPool) {
  asio::thread_pool pool(4);
  std::atomic<int> received{0};
  std::atomic<int> reported{0};
  shield_scope shared([&](std::exception_ptr) { ++reported; });
  const auto fails = []() -> awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    throw scripted_failure();
  };
  const auto caller = [&]() -> awaitable<void> {
    try {
      co_await shared.run(fails());
    } catch (const scripted_failure&) {
      ++received;
    } catch (const boost::system::system_error&) {
    }
  };
  constexpr int rounds = 2000;
  for (int i = 0; i < rounds; ++i) {
    asio::cancellation_signal signal;
    const auto strand = asio::make_strand(pool);
    auto done = asio::co_spawn(strand, caller(), asio::bind_cancellation_slot(signal.slot(), asio::use_future));
    std::promise<void> emitted;
    asio::post(strand, [&] {
      signal.emit(asio::cancellation_type::terminal);
      emitted.set_value();
    });
    emitted.get_future().get();
    done.get();
  }
  asio::co_spawn(pool, shared.join(), asio::use_future).get();
  EXPECT_EQ(received + reported, rounds);
}

}  // namespace
}  // namespace dspu::aio
