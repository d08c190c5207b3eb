#include "dspu/aio/throttle.hpp"

#include "dspu/aio/pipeline.hpp"
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
using throttle_m = basic_throttle<manual_clock>;

class Throttle : public ::testing::Test {
 protected:
  testing::simulator sim;
  script op;
  double drawn = 0;
  throttle_options options() {
    return {.k = 2, .min_requests = 0, .random = [this] { return drawn; }};
  }
  template <class P>
  int run(P& p) {
    return sim.run(p.call([this] { return op(); }));
  }
};

TEST_F(Throttle, RefusesWithTheProbabilityOfTheBook) {
  op.fails();
  throttle_m t(options());
  drawn = 0.999;
  for (int i = 0; i < 3; ++i) EXPECT_THROW(run(t), scripted_failure);
  EXPECT_DOUBLE_EQ(t.rejection_probability(), 3.0 / 4);  // (3 − 2·0) / (3 + 1)
  drawn = 0.74;
  try {
    run(t);
    FAIL();
  } catch (const throttled_error& e) {
    EXPECT_DOUBLE_EQ(e.probability(), 0.75);
  }
  EXPECT_EQ(op.calls(), 3u);
  drawn = 0.9;
  EXPECT_THROW(run(t), scripted_failure);
}

TEST_F(Throttle, DoesNotCountWhatIsCancelled) {
  op.hangs();
  throttle_m t(options());
  const auto p = basic_timeout<manual_clock>(1s) | t;
  EXPECT_THROW(run(p), async_timeout_error);
  EXPECT_EQ(t.rejection_probability(), 0);
}

TEST_F(Throttle, CountsATimeoutInsideAsARefusal) {
  op.hangs();
  throttle_m t(options());
  const auto p = t | basic_timeout<manual_clock>(1s);
  EXPECT_THROW(run(p), async_timeout_error);
  EXPECT_DOUBLE_EQ(t.rejection_probability(), 0.5);
}

TEST_F(Throttle, InShadowModeLetsEverybodyThrough) {
  op.fails();
  auto o = options();
  o.shadow = true;
  throttle_m t(std::move(o));
  for (int i = 0; i < 5; ++i) EXPECT_THROW(run(t), scripted_failure);
  EXPECT_EQ(op.calls(), 5u);
  EXPECT_GT(t.rejection_probability(), 0.8);
}

}  // namespace
}  // namespace dspu::aio
