#include "dspu/aio/bulkhead.hpp"

#include "dspu/aio/pipeline.hpp"
#include "dspu/aio/timeout.hpp"
#include "dspu/testing/script.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using testing::manual_clock;
using testing::script;

class Bulkhead : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  std::vector<int> started;
  std::vector<int> finished;

  awaitable<void> through(bulkhead& b, int id) {
    co_await b.call([this, id] {
      started.push_back(id);
      return op();
    });
    finished.push_back(id);
  }
  std::unique_ptr<test::task> start(bulkhead& b, int id) {
    return std::make_unique<test::task>(sim, through(b, id));
  }
};

TEST_F(Bulkhead, LetsSoManyThroughAtOnceAndTheRestInOrder) {
  op.returns(0, 1s);
  bulkhead b({.limit = 2, .max_queue = 10});
  std::vector<std::unique_ptr<test::task>> all;
  for (int i = 0; i < 5; ++i) all.push_back(start(b, i));
  sim.run_until(500ms);
  EXPECT_EQ(op.running(), 2u);
  EXPECT_EQ(b.in_flight(), 2);
  EXPECT_EQ(b.waiting(), 3);
  sim.run();
  EXPECT_EQ(started, (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(finished.size(), 5u);
  EXPECT_EQ(sim.elapsed(), 3s);
  EXPECT_EQ(b.in_flight(), 0);
}

TEST_F(Bulkhead, RefusesWhenItsLineIsFull) {
  op.returns(0, 1s);
  bulkhead b({.limit = 1, .max_queue = 1});
  const auto a = start(b, 0);
  const auto c = start(b, 1);
  const auto d = start(b, 2);
  sim.run_until(0s);
  ASSERT_TRUE(d->failed_with<bulkhead_full_error>());
  try {
    std::rethrow_exception(d->error());
  } catch (const bulkhead_full_error& e) {
    EXPECT_EQ(e.limit(), 1);
    EXPECT_EQ(e.waiting(), 1);
    EXPECT_TRUE(e.code() == std::errc::device_or_resource_busy);
  }
  sim.run();
  EXPECT_EQ(finished, (std::vector{0, 1}));
}

TEST_F(Bulkhead, FreesTheLineAndThePlaceOfWhoIsCancelled) {
  op.hangs().returns(0, 1s);
  bulkhead b({.limit = 1, .max_queue = 5});
  const auto a = start(b, 0);
  const auto c = start(b, 1);
  const auto d = start(b, 2);
  sim.run_until(0s);
  c->cancel();
  sim.run_until(1s);
  EXPECT_TRUE(c->aborted());
  EXPECT_EQ(b.waiting(), 1);
  a->cancel();
  sim.run();
  EXPECT_EQ(finished, (std::vector{2}));
  EXPECT_EQ(b.in_flight(), 0);
}

TEST_F(Bulkhead, MovesTheLineUpWhenTheLimitIsRaised) {
  op.returns(0, 1s);
  bulkhead b({.limit = 1, .max_queue = 5});
  const auto a = start(b, 0);
  const auto c = start(b, 1);
  const auto d = start(b, 2);
  sim.run_until(500ms);
  b.set_limit(3);
  sim.run_until(500ms);
  EXPECT_EQ(op.running(), 3u);
  sim.run();
  EXPECT_EQ(sim.elapsed(), 1500ms);
}

TEST_F(Bulkhead, BoundsTheWaitByATimeoutAround) {
  op.hangs();
  bulkhead b({.limit = 1, .max_queue = 5});
  const auto a = start(b, 0);
  sim.run_until(0s);
  const auto p = basic_timeout<manual_clock>(2s) | b;
  EXPECT_THROW(sim.run(p.call([this] { return op(); })), async_timeout_error);
  EXPECT_EQ(sim.elapsed(), 2s);
  EXPECT_EQ(b.waiting(), 0);
  EXPECT_EQ(op.calls(), 1u);
  a->cancel();
  sim.run();
}

TEST_F(Bulkhead, GivesThePlaceToTheNextWhenAGrantedOneIsCancelledInTheSameInstant) {
  op.returns(0, 1s).returns(0, 1s);
  bulkhead b({.limit = 1, .max_queue = 5});
  const auto a = start(b, 0);
  const auto c = start(b, 1);
  const auto d = start(b, 2);
  sim.at(1s, [&] { c->cancel(); });
  sim.run();
  EXPECT_EQ(b.in_flight(), 0);
  EXPECT_TRUE(d->succeeded());
}

TEST_F(Bulkhead, InShadowModeCountsAndLetsThrough) {
  op.returns(0, 1s);
  bulkhead b({.limit = 1, .shadow = true});
  const auto a = start(b, 0);
  const auto c = start(b, 1);
  sim.run();
  EXPECT_EQ(finished.size(), 2u);
  EXPECT_EQ(sim.elapsed(), 1s);
  EXPECT_EQ(b.over_limit(), 1);
}

TEST_F(Bulkhead, RejectsBadOptions) {
  EXPECT_THROW(bulkhead({.limit = 0}), std::invalid_argument);
  EXPECT_THROW(bulkhead({.max_queue = -1}), std::invalid_argument);
  bulkhead b;
  EXPECT_THROW(b.set_limit(0), std::invalid_argument);
  EXPECT_EQ(b.limit(), 25);
}

}  // namespace
}  // namespace dspu::aio
