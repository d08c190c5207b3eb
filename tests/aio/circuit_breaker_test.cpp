#include "dspu/aio/circuit_breaker.hpp"

#include "dspu/testing/script.hpp"
#include "dspu/testing/simulator.hpp"
#include "support/task.hpp"

#include <boost/system/result.hpp>

#include <gtest/gtest.h>

#include <list>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;
using testing::simulator;
using breaker = basic_circuit_breaker<manual_clock>;

struct CircuitBreaker : ::testing::Test {
  simulator sim;
  script op;
  std::list<test::task> tasks;
  std::vector<std::pair<circuit_state, circuit_state>> changes;

  auto record() {
    return [this](circuit_state from, circuit_state to) { changes.emplace_back(from, to); };
  }
  int call(breaker& b) {
    return sim.run(b.call([this] { return op(); }));
  }
  void fail_once(breaker& b) { EXPECT_THROW(call(b), scripted_failure); }
  awaitable<void> discard(breaker& b) {
    co_await b.call([this] { return op(); });
  }
  test::task& start(breaker& b) { return tasks.emplace_back(sim, discard(b)); }
};

constexpr auto closed = circuit_state::closed;
constexpr auto open = circuit_state::open;
constexpr auto half_open = circuit_state::half_open;

TEST_F(CircuitBreaker, OpensThenProbesThenCloses) {
  breaker b{{.failure_threshold = 2, .success_threshold = 2, .timeout = 10s, .on_state_change = record()}};
  op.fails().fails().returns(1);
  fail_once(b);
  EXPECT_EQ(b.failure_count(), 1);
  fail_once(b);
  EXPECT_EQ(b.state(), open);
  EXPECT_EQ(b.last_failure_time(), sim.now());
  sim.run_for(4s);
  try {
    call(b);
    FAIL();
  } catch (const circuit_breaker_error& e) {
    EXPECT_EQ(e.state(), open);
    EXPECT_EQ(e.failure_count(), 2);
    EXPECT_EQ(e.retry_after(), 6s);
    EXPECT_EQ(e.code(), errc::circuit_open);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("open after 2 failures, next probe in 6 s"));
  }
  EXPECT_EQ(op.calls(), 2U);
  sim.run_for(6s);
  EXPECT_EQ(call(b), 1);
  EXPECT_EQ(b.state(), half_open);
  EXPECT_EQ(call(b), 1);
  EXPECT_EQ(b.state(), closed);
  using pair = std::pair<circuit_state, circuit_state>;
  EXPECT_THAT(changes, ::testing::ElementsAre(pair{closed, open}, pair{open, half_open}, pair{half_open, closed}));
}

TEST_F(CircuitBreaker, LetsInNoMoreProbesThanItMay) {
  breaker b{{.failure_threshold = 1, .success_threshold = 3, .timeout = 10s, .half_open_max_calls = 2}};
  op.fails().returns(0, 1s);
  fail_once(b);
  sim.run_for(10s);
  for (int i = 0; i < 64; ++i) start(b);
  sim.run_for(0s);
  EXPECT_EQ(op.running(), 2U);
  sim.run();
  EXPECT_EQ(std::ranges::count_if(tasks, &test::task::succeeded), 2);
  EXPECT_EQ(std::ranges::count_if(tasks, &test::task::failed_with<circuit_breaker_error>), 62);
  EXPECT_EQ(b.state(), half_open);
}

TEST_F(CircuitBreaker, GivesACancelledProbesPlaceBack) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 10s}};
  op.fails().hangs().returns(9);
  fail_once(b);
  sim.run_for(10s);
  auto& probe = start(b);
  sim.run_for(1s);
  EXPECT_THROW(call(b), circuit_breaker_error);
  probe.cancel();
  sim.run_for(0s);
  EXPECT_TRUE(probe.aborted());
  EXPECT_EQ(b.state(), half_open);
  EXPECT_EQ(call(b), 9);
  EXPECT_EQ(b.state(), closed);
}

TEST_F(CircuitBreaker, GivesALostProbesPlaceBack) {
  breaker b{{.failure_threshold = 1, .timeout = 10s, .half_open_max_calls = 1}};
  b.try_permit().failure();
  sim.run_for(10s);
  {
    const auto lost = b.try_permit();
    ASSERT_TRUE(lost);
    EXPECT_FALSE(b.try_permit());
  }
  EXPECT_TRUE(b.try_permit());
}

TEST_F(CircuitBreaker, DropsResultsOfCallsBegunInAnEarlierState) {
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s}};
  op.fails(30s).fails(1s).returns(1, 1s).returns(2, 40s).fails();
  start(b);                       // begun while closed, ends at 30 s
  sim.run_for(0s);
  fail_once(b);                   // opens at 1 s
  sim.run_for(1s);
  EXPECT_EQ(call(b), 1);          // closes at 3 s
  EXPECT_EQ(b.state(), closed);
  sim.run_until(31s);             // the old failure arrives
  EXPECT_TRUE(tasks.front().failed_with<scripted_failure>());
  EXPECT_EQ(b.state(), closed);
  EXPECT_EQ(b.failure_count(), 0);
}

TEST_F(CircuitBreaker, CountsNeitherCancelledNorIgnoredCalls) {
  breaker b{{.failure_threshold = 1, .classify = failing_on<std::domain_error>()}};
  op.hangs().fails();
  auto& cancelled = start(b);
  sim.run_for(1s);
  cancelled.cancel();
  sim.run_for(0s);
  EXPECT_TRUE(cancelled.aborted());
  fail_once(b);
  EXPECT_EQ(b.state(), closed);
}

TEST_F(CircuitBreaker, CountsAnAbortThatNobodyAskedFor) {
  breaker b{{.failure_threshold = 1}};
  op.throws(boost::system::system_error(asio::error::operation_aborted));
  EXPECT_THROW(call(b), boost::system::system_error);
  EXPECT_EQ(b.state(), open);
}

TEST_F(CircuitBreaker, SeesFailuresInResults) {
  breaker b{{.failure_threshold = 1}};
  const auto fails_by_value = []() -> awaitable<boost::system::result<int>> {
    co_return make_error_code(asio::error::connection_refused);
  };
  EXPECT_FALSE(sim.run(b.call(fails_by_value)).has_value());
  EXPECT_EQ(b.state(), open);

  breaker strict{{.failure_threshold = 1, .classify = [](const outcome& o) {
                    const auto* status = o.get_if<int>();
                    return status != nullptr && *status >= 500 ? verdict::failure : default_verdict(o);
                  }}};
  op.returns(503);
  EXPECT_EQ(call(strict), 503);
  EXPECT_EQ(strict.state(), open);
}

TEST_F(CircuitBreaker, KeepsGoingWhateverItsListenerDoes) {
  breaker* self = nullptr;
  breaker b{{.failure_threshold = 1, .timeout = 1s, .on_state_change = [&](circuit_state from, circuit_state to) {
               changes.emplace_back(from, to);
               EXPECT_EQ(self->state(), to) << "no lock is held, and the state is the new one";
               if (to == open) self->reset();
               throw std::runtime_error("listener");
             }}};
  self = &b;
  op.fails();
  fail_once(b);
  EXPECT_EQ(b.state(), closed);
  using pair = std::pair<circuit_state, circuit_state>;
  EXPECT_THAT(changes, ::testing::ElementsAre(pair{closed, open}, pair{open, closed}));
}

TEST_F(CircuitBreaker, AwaitsAnAsynchronousListenerInOrder) {
  const auto slow = [this](circuit_state from, circuit_state to) -> awaitable<void> {
    testing::manual_timer timer(co_await asio::this_coro::executor, 5s);
    co_await timer.async_wait(asio::use_awaitable);
    changes.emplace_back(from, to);
    throw std::runtime_error("listener");
  };
  breaker b{{.failure_threshold = 1, .success_threshold = 1, .timeout = 1s, .on_state_change = slow}};
  op.fails().returns(3);
  fail_once(b);
  EXPECT_EQ(sim.elapsed(), 5s);
  EXPECT_EQ(call(b), 3);
  EXPECT_EQ(sim.elapsed(), 15s);
  b.reset();
  EXPECT_EQ(changes.size(), 3U);
}

TEST_F(CircuitBreaker, TellsAnAsynchronousListenerOfChangesMadeByHandAtTheNextCall) {
  const auto listener = [this](circuit_state from, circuit_state to) -> awaitable<void> {
    changes.emplace_back(from, to);
    co_return;
  };
  breaker b{{.failure_threshold = 1, .on_state_change = listener}};
  b.try_permit().failure();
  b.reset();
  EXPECT_TRUE(changes.empty());
  op.returns();
  call(b);
  using pair = std::pair<circuit_state, circuit_state>;
  EXPECT_THAT(changes, ::testing::ElementsAre(pair{closed, open}, pair{open, closed}));
}

TEST_F(CircuitBreaker, TellsAnAsynchronousListenerOfAllChangesThoughTheCallIsCancelledMeanwhile) {
  const auto slow = [this](circuit_state from, circuit_state to) -> awaitable<void> {
    testing::manual_timer timer(co_await asio::this_coro::executor, 5s);
    co_await timer.async_wait(asio::use_awaitable);
    changes.emplace_back(from, to);
  };
  breaker b{{.failure_threshold = 1, .on_state_change = slow}};
  b.try_permit().failure();
  b.reset();
  op.returns();
  auto& caller = start(b);
  sim.run_for(1s);
  caller.cancel();  // in the midst of the first
  sim.run();
  EXPECT_TRUE(caller.aborted());
  EXPECT_EQ(op.calls(), 0U);
  using pair = std::pair<circuit_state, circuit_state>;
  EXPECT_THAT(changes, ::testing::ElementsAre(pair{closed, open}, pair{open, closed}));
}

TEST_F(CircuitBreaker, ForgetsAllOnReset) {
  breaker b{{.failure_threshold = 1}};
  op.fails().returns(4);
  fail_once(b);
  b.reset();
  EXPECT_EQ(b.state(), closed);
  EXPECT_EQ(b.failure_count(), 0);
  EXPECT_FALSE(b.last_failure_time());
  EXPECT_EQ(call(b), 4);
}

TEST_F(CircuitBreaker, GivesPermitsToUseByHand) {
  breaker b{{.failure_threshold = 2, .timeout = 10s}};
  auto first = b.try_permit();
  ASSERT_TRUE(first);
  first.failure();
  b.try_permit().success();
  EXPECT_EQ(b.failure_count(), 0) << "a success clears the count";
  b.try_permit().failure();
  b.try_permit().failure();
  const auto refused = b.try_permit();
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.retry_after(), 10s);
}

TEST_F(CircuitBreaker, Decorates) {
  breaker b;
  const auto guarded = b([](int x) -> awaitable<int> { co_return x + 1; });
  EXPECT_EQ(sim.run(guarded(41)), 42);
}

TEST_F(CircuitBreaker, SettlesWhenItsClassifierThrows) {
  breaker b{{.failure_threshold = 1, .half_open_max_calls = 1, .classify = [](const outcome&) -> verdict {
               throw std::range_error("classifier");
             }}};
  op.fails();
  EXPECT_THROW(call(b), std::range_error);
  EXPECT_EQ(b.state(), closed);
}

}  // namespace
}  // namespace dspu::aio
