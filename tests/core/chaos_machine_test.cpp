#include "dspu/core/chaos_machine.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace dspu::core {
namespace {

using namespace std::chrono_literals;

static_assert(std::is_trivially_copyable_v<chaos_machine>, "no memory of its own");

const double below_one = std::nextafter(1, 0);

TEST(ChaosMachine, InjectsNothingUnlessAskedTo) {
  const chaos_machine chaos({});
  const auto i = chaos.next({.latency = 0, .latency_length = 0, .fault = 0, .result = 0});
  EXPECT_EQ(i.latency, 0s);
  EXPECT_EQ(i.outcome, chaos_outcome::none);
}

TEST(ChaosMachine, DecidesEachFromANumberOfItsOwn) {
  const chaos_machine chaos({.fault_rate = 0.5, .result_rate = 0.5, .latency_rate = 0.5, .latency_min = 1s});
  const double no = 0.5;
  const double yes = std::nextafter(0.5, 0);
  EXPECT_EQ(chaos.next({.latency = no, .latency_length = 0, .fault = no, .result = no}).outcome,
            chaos_outcome::none);
  EXPECT_EQ(chaos.next({.latency = no, .latency_length = 0, .fault = no, .result = no}).latency, 0s);
  EXPECT_EQ(chaos.next({.latency = no, .latency_length = 0, .fault = yes, .result = no}).outcome,
            chaos_outcome::fault);
  EXPECT_EQ(chaos.next({.latency = no, .latency_length = 0, .fault = no, .result = yes}).outcome,
            chaos_outcome::result);
  const auto late_fault = chaos.next({.latency = yes, .latency_length = 0, .fault = yes, .result = yes});
  EXPECT_EQ(late_fault.latency, 1s) << "whatever follows";
  EXPECT_EQ(late_fault.outcome, chaos_outcome::fault) << "before a result";
}

TEST(ChaosMachine, DrawsLatenciesFromTheWholeRange) {
  const chaos_machine chaos({.latency_rate = 1, .latency_min = 10ns, .latency_max = 13ns});
  const auto latency = [&](double unit) {
    return chaos.next({.latency = below_one, .latency_length = unit, .fault = 0, .result = 0}).latency;
  };
  EXPECT_EQ(latency(0), 10ns);
  EXPECT_EQ(latency(std::nextafter(0.25, 0)), 10ns);
  EXPECT_EQ(latency(0.25), 11ns);
  EXPECT_EQ(latency(0.5), 12ns);
  EXPECT_EQ(latency(0.75), 13ns);
  EXPECT_EQ(latency(below_one), 13ns);
  const chaos_machine endless({.latency_rate = 1, .latency_max = duration::max()});
  EXPECT_LE(endless.next({.latency = 0, .latency_length = below_one, .fault = 0, .result = 0}).latency,
            duration::max());
  const chaos_machine fixed({.latency_rate = 1, .latency_min = 5s, .latency_max = 5s});
  EXPECT_EQ(fixed.next({.latency = 0, .latency_length = 0.7, .fault = 0, .result = 0}).latency, 5s);
}

TEST(ChaosMachine, ComposesItsRatesInSequence) {
  const chaos_machine chaos({.fault_rate = 0.02, .result_rate = 0.5, .latency_rate = 0.1});
  constexpr std::uint64_t seed = 42;
  random_source random{seed};
  int faults = 0;
  int results = 0;
  int late = 0;
  int late_faults = 0;
  duration waited{0};
  constexpr int calls = 1'000'000;
  for (int i = 0; i < calls; ++i) {
    const auto x = chaos.next(random);
    const bool fault = x.outcome == chaos_outcome::fault;
    faults += fault ? 1 : 0;
    results += x.outcome == chaos_outcome::result ? 1 : 0;
    late += x.latency > 0s ? 1 : 0;
    waited += x.latency;
    late_faults += fault && x.latency > 0s ? 1 : 0;
  }
  // Seeded, so these hold always; they are within four standard deviations.
  EXPECT_NEAR(faults, 0.02 * calls, 560);
  EXPECT_NEAR(results, 0.49 * calls, 2000);
  EXPECT_NEAR(late, 0.1 * calls, 1200);
  EXPECT_NEAR(std::chrono::duration<double>(waited).count() / late, 0.5, 0.004);
  EXPECT_NEAR(late_faults, 0.002 * calls, 180) << "latency is independent of the rest";
}

TEST(ChaosMachine, InjectsAtAHigherRateWhereverItDidAtALower) {
  const chaos_machine low({.fault_rate = 0.1, .latency_rate = 0.05});
  const chaos_machine high({.fault_rate = 0.3, .latency_rate = 0.5});
  random_source one{7};
  random_source other{7};
  for (int i = 0; i < 10'000; ++i) {
    const auto a = low.next(one);
    const auto b = high.next(other);
    ASSERT_TRUE(a.outcome != chaos_outcome::fault || b.outcome == chaos_outcome::fault);
    ASSERT_TRUE(a.latency == 0s || b.latency == a.latency);
  }
}

TEST(ChaosMachineOptions, NameTheOptionItsValueAndItsRange) {
  EXPECT_THROW(chaos_machine({.fault_rate = -0.1}), std::invalid_argument);
  EXPECT_THROW(chaos_machine({.result_rate = 1.1}), std::invalid_argument);
  EXPECT_THROW(chaos_machine({.latency_rate = std::nan("")}), std::invalid_argument);
  EXPECT_THROW(chaos_machine({.latency_min = -1ns}), std::invalid_argument);
  try {
    chaos_machine({.latency_min = 2s, .latency_max = 1s});
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "chaos.latency_max is 1 s; must be at least latency_min");
  }
}

}  // namespace
}  // namespace dspu::core
