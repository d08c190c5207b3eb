#include "dspu/core/bulkhead_machine.hpp"

#include "dspu/core/random.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <type_traits>

namespace dspu::core {
namespace {

static_assert(std::is_trivially_copyable_v<bulkhead_machine>, "no memory of its own");

using enum bulkhead_entry;

TEST(BulkheadMachine, LetsGoUpToItsLimitThenWaitThenRefuses) {
  bulkhead_machine b({.limit = 2, .max_queue = 1});
  EXPECT_EQ(b.enter(), go);
  EXPECT_EQ(b.enter(), go);
  EXPECT_EQ(b.enter(), wait);
  EXPECT_EQ(b.enter(), refuse);
  EXPECT_EQ(b.in_flight(), 2);
  EXPECT_EQ(b.waiting(), 1);
}

TEST(BulkheadMachine, RefusesAtOnceWithoutAQueue) {
  bulkhead_machine b({.limit = 1});
  EXPECT_EQ(b.enter(), go);
  EXPECT_EQ(b.enter(), refuse);
  EXPECT_EQ(b.leave(), 0);
  EXPECT_EQ(b.enter(), go);
}

TEST(BulkheadMachine, HandsThePlaceOverSoThatNobodyBargesIn) {
  bulkhead_machine b({.limit = 1, .max_queue = 2});
  b.enter();
  EXPECT_EQ(b.enter(), wait);
  EXPECT_EQ(b.leave(), 1);
  EXPECT_EQ(b.in_flight(), 1) << "the waiter's, before it is resumed";
  EXPECT_EQ(b.waiting(), 0);
  EXPECT_EQ(b.enter(), wait);
}

TEST(BulkheadMachine, PassesOnThePlaceOfAWaiterCancelledAfterItWasTold) {
  bulkhead_machine b({.limit = 1, .max_queue = 2});
  b.enter();
  b.enter();
  b.enter();
  EXPECT_EQ(b.leave(), 1);
  EXPECT_EQ(b.leave(), 1) << "the first waiter never ran";
  EXPECT_EQ(b.leave(), 0);
  EXPECT_EQ(b.in_flight(), 0);
}

TEST(BulkheadMachine, FreesTheQueuePlaceOfAWaiterThatGaveUp) {
  bulkhead_machine b({.limit = 1, .max_queue = 1});
  b.enter();
  b.enter();
  b.abandon();
  EXPECT_EQ(b.waiting(), 0);
  EXPECT_EQ(b.enter(), wait);
  EXPECT_EQ(b.enter(), refuse);
}

TEST(BulkheadMachine, LetsWaitersGoWhenItsLimitIsRaised) {
  bulkhead_machine b({.limit = 1, .max_queue = 5});
  for (int i = 0; i < 5; ++i) b.enter();
  EXPECT_EQ(b.set_limit(3), 2);
  EXPECT_EQ(b.in_flight(), 3);
  EXPECT_EQ(b.set_limit(std::numeric_limits<std::int64_t>::max()), 2);
  EXPECT_EQ(b.waiting(), 0);
}

TEST(BulkheadMachine, RunsOutWhatIsBeyondALoweredLimit) {
  bulkhead_machine b({.limit = 3, .max_queue = 1});
  for (int i = 0; i < 4; ++i) b.enter();
  EXPECT_EQ(b.set_limit(1), 0);
  EXPECT_EQ(b.leave(), 0);
  EXPECT_EQ(b.leave(), 0);
  EXPECT_EQ(b.in_flight(), 1);
  EXPECT_EQ(b.leave(), 1) << "only now is there a place under the new limit";
  EXPECT_EQ(b.enter(), wait);
}

TEST(BulkheadMachine, LosesNobodyAndHasNoFreePlaceWhileAnybodyWaits) {
  constexpr std::uint64_t seed = 20240917;
  random_source random{seed};
  bulkhead_machine b({.limit = 4, .max_queue = 6});
  std::int64_t running = 0;
  std::int64_t queued = 0;
  const auto move = [&](std::int64_t n) { running += n, queued -= n; };
  for (int i = 0; i < 100'000; ++i) {
    switch (random() % 5) {
      case 0:
      case 1: {
        const auto e = b.enter();
        running += e == go ? 1 : 0;
        queued += e == wait ? 1 : 0;
        break;
      }
      case 2:
        if (running > 0) --running, move(b.leave());
        break;
      case 3:
        if (queued > 0) --queued, b.abandon();
        break;
      case 4:
        move(b.set_limit(1 + static_cast<std::int64_t>(random() % 8)));
        break;
    }
    ASSERT_EQ(b.in_flight(), running) << "seed " << seed << ", step " << i;
    ASSERT_EQ(b.waiting(), queued) << "seed " << seed << ", step " << i;
    ASSERT_TRUE(queued == 0 || running >= b.limit()) << "seed " << seed << ", step " << i;
    ASSERT_LE(queued, b.max_queue());
  }
}

TEST(BulkheadMachineOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(bulkhead_machine({.limit = 0}), std::invalid_argument);
  EXPECT_THROW(bulkhead_machine({.max_queue = -1}), std::invalid_argument);
  bulkhead_machine b({.limit = 7});
  try {
    b.set_limit(-3);
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "bulkhead.limit is -3; must be at least 1");
  }
  EXPECT_EQ(b.limit(), 7);
}

}  // namespace
}  // namespace dspu::core
