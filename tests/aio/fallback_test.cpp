#include "dspu/aio/fallback.hpp"

#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;
using testing::scripted_failure;

class Fallback : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  script other;
  int falls = 0;

  auto to_other() {
    return fallback([this](const outcome& o) {
      ++falls;
      EXPECT_TRUE(o.threw<scripted_failure>());
      return other();
    });
  }
  template <class P>
  int run(P&& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(Fallback, IsNotAskedForASuccess) {
  op.returns(1);
  EXPECT_EQ(run(to_other()), 1);
  EXPECT_EQ(falls, 0);
}

TEST_F(Fallback, TakesThePlaceOfAFailure) {
  op.fails();
  other.returns(2, 1s);
  EXPECT_EQ(run(to_other()), 2);
  EXPECT_EQ(sim.elapsed(), 1s);
}

TEST_F(Fallback, GivesAValueWithoutWaiting) {
  op.fails();
  EXPECT_EQ(run(fallback([](const outcome&) { return 5; })), 5);
}

TEST_F(Fallback, FailsTheCallWithItsOwnError) {
  op.fails();
  other.throws(std::logic_error("no cache"));
  EXPECT_THROW(run(to_other()), std::logic_error);
}

TEST_F(Fallback, ComesAfterTheRetriesInside) {
  op.fails();
  other.returns(2);
  const basic_retry<manual_clock> again{{.max_attempts = 3, .base_delay = 1s, .jitter = jitter::none}};
  EXPECT_EQ(run(to_other() | again), 2);
  EXPECT_EQ(op.calls(), 3u);
  EXPECT_EQ(falls, 1);
}

TEST_F(Fallback, IsNotForWhatATimeoutOutsideCutShort) {
  op.hangs();
  EXPECT_THROW(run(basic_timeout<manual_clock>(1s) | to_other()), async_timeout_error);
  EXPECT_EQ(falls, 0);
}

TEST_F(Fallback, IsNotForACancelledCall) {
  op.hangs();
  auto f = to_other();
  const auto body = [&]() -> awaitable<void> { co_await f.call([this] { return op(); }); };
  test::task t(sim, body());
  sim.at(1s, [&] { t.cancel(); });
  sim.run();
  EXPECT_TRUE(t.aborted());
  EXPECT_EQ(falls, 0);
}

TEST_F(Fallback, ReplacesOnlyWhatItsClassifierCallsAFailure) {
  op.fails();
  auto f = fallback([](const outcome&) { return 5; }, {.classify = [](const outcome&) { return verdict::ignored; }});
  EXPECT_THROW(run(f), scripted_failure);
}

TEST_F(Fallback, ServesOperationsWithoutAResult) {
  bool fell = false;
  auto f = fallback([&](const outcome&) { fell = true; });
  const auto fails = []() -> awaitable<void> {
    throw scripted_failure();
    co_return;
  };
  sim.run(f.call(fails));
  EXPECT_TRUE(fell);
}

}  // namespace
}  // namespace dspu::aio
