// The function that a stream calls closes the stream, or destroys it: it was called under a lock that both take.
#include "dspu/aio/as_completed.hpp"

#include "dspu/testing/simulator.hpp"
#include "support/after.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <ranges>

namespace dspu::aio {
namespace {

using namespace std::chrono_literals;
using call = std::function<awaitable<int>(int)>;
using stream_type = decltype(map_as_completed(std::views::iota(0, 1), call(), gather_options{}));

struct StreamClosedInItsCall : ::testing::Test {
  testing::simulator sim;
  std::optional<stream_type> stream;

  awaitable<int> results() {
    int n = 0;
    while (stream) {
      auto next = stream->next();
      if (!co_await std::move(next)) break;
      ++n;
    }
    co_return n;
  }
};

TEST_F(StreamClosedInItsCall, EndsByClose) {
  const call closes = [this](int i) {
    if (i == 2) sim.spawn(stream->close());
    if (i == 3) ADD_FAILURE() << "it was closed";
    return test::after(1s, i);
  };
  stream.emplace(map_as_completed(std::views::iota(0, 9), closes, {.limit = 1}));
  EXPECT_LE(sim.run(results()), 3);
  sim.run();
}

TEST_F(StreamClosedInItsCall, EndsByDestruction) {
  const call destroys = [this](int i) {
    if (i == 2) stream.reset();
    if (i == 3) ADD_FAILURE() << "it was destroyed";
    return test::after(1s, i);
  };
  stream.emplace(map_as_completed(std::views::iota(0, 9), destroys, {.limit = 1}));
  EXPECT_LE(sim.run(results()), 3);
  sim.run();
}

}  // namespace
}  // namespace dspu::aio
