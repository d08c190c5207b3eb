// What policies need of a clock of your own: include this in one source file, and instantiate it there.
//
//   // my_clock.cpp
//   #include <dspu/aio/clock_support.hpp>
//   template struct dspu::aio::clock_support<my_clock>;
//
// After that, basic_rate_limiter<my_clock>, basic_retry<my_clock> and all other policies on my_clock link, from any source
// file. The library has it for std::chrono::steady_clock, tsc_clock and coarse_clock (clocks.hpp); dspu::testing for
// manual_clock.
//
// A clock has what the standard asks of one (now(), duration, time_point), and its epoch stays where it is. Timers of
// Boost.Asio wait for it: a clock that does not go with real time needs a specialisation of boost::asio::wait_traits.
#pragma once

#include "dspu/aio/impl/adaptive_rate.ipp"
#include "dspu/aio/impl/deadlines.ipp"
#include "dspu/aio/impl/rate_limiter.ipp"
#include "dspu/aio/impl/sleep.ipp"

#include <tuple>

namespace dspu::aio {

template <class Clock>
struct clock_support {
  // The address of each is taken, so that the compiler emits them.
  static auto functions() {
    return std::tuple{&detail::deadlines_of<Clock>, &detail::make_limiter_state<Clock>,
                      &detail::make_adaptive_rate_state<Clock>, &detail::sleep_for<Clock>};
  }
};

}  // namespace dspu::aio
