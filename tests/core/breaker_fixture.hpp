// What the tests of the breaker's machine share.
#pragma once

#include "dspu/core/breaker_machine.hpp"

#include <gtest/gtest.h>

namespace dspu::core {

struct breaker_fixture : testing::Test {
  static constexpr instant start{std::chrono::seconds{1'000}};

  static std::uint64_t admit(breaker_machine& m, instant now) {
    const auto a = m.enter(now);
    EXPECT_TRUE(a.admitted);
    return a.generation;
  }
  static auto call(breaker_machine& m, verdict v, instant now, duration took = {}) {
    const auto generation = admit(m, now);
    return m.settle({.generation = generation, .v = v, .started = now, .now = now + took});
  }
  static auto fail(breaker_machine& m, instant now, duration took = {}) { return call(m, verdict::failure, now, took); }
  static auto succeed(breaker_machine& m, instant now, duration took = {}) {
    return call(m, verdict::success, now, took);
  }
  // A failure that asks to be left alone.
  static auto fail_asking(breaker_machine& m, instant now, duration wish) {
    const auto generation = admit(m, now);
    return m.settle({.generation = generation,
                     .v = verdict::failure,
                     .started = now,
                     .now = now,
                     .retry_after = wish});
  }
};

}  // namespace dspu::core
