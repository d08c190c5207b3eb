// A callable that throws when it is called, before there is a coroutine, is an operation that failed: as a coroutine that
// throws. It left a null error in its slot, or ended the whole gather.
#include "dspu/aio/as_completed.hpp"
#include "dspu/aio/gather.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/after.hpp"
#include "support/task.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <ranges>
#include <stdexcept>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using test::after;
using test::holds;

awaitable<int> checked(int i) {
  if (i == 1) throw std::invalid_argument("bad element");
  return after(1s, i);
}

struct CallsThatThrow : ::testing::Test {
  testing::simulator sim;
};

TEST_F(CallsThatThrow, FillTheirSlotOfATuple) {
  const auto good = [] { return checked(0); };
  const auto bad = [] { return checked(1); };
  const auto [a, b] = sim.run(gather_with_limit({.limit = 2}, return_exceptions, good, bad));
  EXPECT_EQ(a.value(), 0);
  ASSERT_TRUE(b.has_error());
  EXPECT_TRUE(holds<std::invalid_argument>(b.error()));
}

TEST_F(CallsThatThrow, FillTheirSlotOfARange) {
  const auto all = sim.run(map_with_limit(std::views::iota(0, 4), checked, {.limit = 2}, return_exceptions));
  ASSERT_EQ(all.size(), 4U);
  EXPECT_TRUE(holds<std::invalid_argument>(all[1].error()));
  EXPECT_EQ(all[0].value() + all[2].value() + all[3].value(), 5);
}

TEST_F(CallsThatThrow, FillTheirSlotOfARangeOfCallables) {
  std::vector<std::function<awaitable<int>()>> calls;
  for (int i = 0; i < 3; ++i) calls.emplace_back([i] { return checked(i); });
  const auto all = sim.run(gather_with_limit(calls, {.limit = 3}, return_exceptions));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(holds<std::invalid_argument>(all[1].error()));
  EXPECT_EQ(all[2].value(), 2);
}

TEST_F(CallsThatThrow, EndAGatherThatReturnsValues) {
  EXPECT_THROW(sim.run(map_with_limit(std::views::iota(0, 4), checked, {.limit = 2})), std::invalid_argument);
  const auto good = [] { return checked(0); };
  const auto bad = [] { return checked(1); };
  EXPECT_THROW(sim.run(gather_with_limit({.limit = 2}, good, bad)), std::invalid_argument);
  EXPECT_EQ(sim.elapsed(), 0s) << "the others were cancelled";
}

TEST_F(CallsThatThrow, AreResultsOfAStream) {
  int values = 0;
  int errors = 0;
  const auto body = [&]() -> awaitable<void> {
    auto stream = map_as_completed(std::views::iota(0, 4), checked, {.limit = 2});
    while (auto c = co_await stream.next()) {
      if (c->outcome.has_value()) {
        ++values;
      } else {
        errors += holds<std::invalid_argument>(c->outcome.error());
      }
    }
  };
  sim.run(body());
  EXPECT_EQ(values, 3);
  EXPECT_EQ(errors, 1);
}

}  // namespace
}  // namespace dspu::aio
