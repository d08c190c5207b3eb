// A result whose move throws: gather reported "Operation canceled" instead of what the move threw, and map_as_completed ended
// normally with one result too few.
#include "dspu/aio/as_completed.hpp"
#include "dspu/aio/gather.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <ranges>
#include <stdexcept>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;

struct move_failed : std::runtime_error {
  move_failed() : runtime_error("this move fails") {}
};

// One of all moves fails.
struct fragile {
  static inline int moves_to_failure = 0;

  explicit fragile(int v) : value(v) {}
  fragile(fragile&& other) : value(other.value) {
    if (--moves_to_failure == 0) throw move_failed();
  }
  fragile& operator=(fragile&&) = delete;

  int value;
};

awaitable<fragile> made(int i) {
  co_await test::after(1s, 0);
  co_return fragile(i);
}

// Calls check(n) for each n for which the n-th move fails in it.
template <class Check>
void fail_each_move(Check check) {
  for (int n = 1;; ++n) {
    fragile::moves_to_failure = n;
    check(n);
    if (fragile::moves_to_failure > 0) break;
    ASSERT_LT(n, 1000);
  }
  fragile::moves_to_failure = 0;
}

TEST(MovesThatThrow, AreTheErrorOfAGather) {
  fail_each_move([](int n) {
    testing::simulator sim;
    try {
      const auto all = sim.run(map_with_limit(std::views::iota(0, 4), made, {.limit = 2}));
      EXPECT_EQ(all.size(), 4U);
      EXPECT_GT(fragile::moves_to_failure, 0) << n << ": nobody was told";
    } catch (const move_failed&) {
    }
  });
}

TEST(MovesThatThrow, FillTheirSlotOfAGatherThatReturnsExceptions) {
  int in_slots = 0;
  fail_each_move([&](int n) {
    testing::simulator sim;
    const auto body = [&]() -> awaitable<void> {
      const auto all = co_await map_with_limit(std::views::iota(0, 4), made, gather_options{.limit = 2}, return_exceptions);
      EXPECT_EQ(all.size(), 4U);
      int errors = 0;
      for (const auto& r : all) errors += r.has_error() && test::holds<move_failed>(r.error());
      EXPECT_EQ(errors, fragile::moves_to_failure <= 0 ? 1 : 0) << n;
      in_slots += errors;
    };
    sim.run(body());
  });
  EXPECT_GE(in_slots, 12) << "of four results, each of which is moved several times";
}

TEST(MovesThatThrow, AreNotLostInAStream) {
  fail_each_move([](int n) {
    testing::simulator sim;
    int results = 0;
    int errors = 0;
    const auto body = [&]() -> awaitable<void> {
      auto stream = map_as_completed(std::views::iota(0, 4), made, {.limit = 2});
      for (bool ended = false; !ended;) {
        try {
          const auto c = co_await stream.next();
          ended = !c;
          if (c) ++(c->outcome.has_value() ? results : errors);
        } catch (const move_failed&) {  // on its way to us
          ++errors;
        }
      }
    };
    sim.run(body());
    EXPECT_EQ(results + errors, 4) << n;
    EXPECT_EQ(errors, fragile::moves_to_failure <= 0 ? 1 : 0) << n;
  });
}

}  // namespace
}  // namespace dspu::aio
