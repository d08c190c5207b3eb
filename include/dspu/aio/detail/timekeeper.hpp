// A clock and its deadlines, for code that is not a template.
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/core/duration.hpp"

#include <chrono>
#include <cstdint>

namespace dspu::aio::detail {

struct timekeeper {
  core::instant (*now)();
  deadlines& (*deadlines_of)(const asio::any_io_executor& ex);
  // An instant in the clock's own units, rounded up: what is due then is not looked at before.
  std::int64_t (*units_of)(core::instant t);
};

template <class Clock>
inline constexpr timekeeper timekeeper_of{
    [] { return core::instant_of(Clock::now()); }, [](const asio::any_io_executor& ex) -> deadlines& { return deadlines_of<Clock>(ex); },
    [](core::instant t) {
      return std::int64_t{std::chrono::ceil<typename Clock::duration>(t.time_since_epoch()).count()};
    }};

}  // namespace dspu::aio::detail
