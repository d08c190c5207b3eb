// A clock that moves only when told to: the time that simulations run on.
//
// It drives `boost::asio::basic_waitable_timer<manual_clock>` and every `dspu::aio::basic_x<manual_clock>`. There is one
// such time in a process; a `simulator` moves it. Thread-safety: now() may be called from any thread.
#pragma once

#include "dspu/core/duration.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/wait_traits.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace dspu::testing {

class manual_clock {
 public:
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<manual_clock>;
  static constexpr bool is_steady = false;

  static time_point now() noexcept { return time_point{duration{now_.load(std::memory_order_acquire)}}; }

  // Timers do not notice by themselves: a simulator does this for you, between two polls of its loop.
  static void set(time_point t) noexcept { now_.store(t.time_since_epoch().count(), std::memory_order_release); }
  // At most to the clock's last instant.
  static void advance(duration d) noexcept { set(time_point{core::add_saturating(now().time_since_epoch(), d)}); }

 private:
  friend struct boost::asio::wait_traits<manual_clock>;
  friend class simulator;

  static inline std::atomic<rep> now_{duration{std::chrono::hours{24 * 365}}.count()};
  // The nearest deadline that a reactor has asked how long to wait for, since a simulator last cleared it.
  static inline std::atomic<rep> nearest_{time_point::max().time_since_epoch().count()};
};

using manual_timer = boost::asio::basic_waitable_timer<manual_clock>;

}  // namespace dspu::testing

// A reactor that asks how long it may sleep is told "not at all", and its deadline is noted.
template <>
struct boost::asio::wait_traits<dspu::testing::manual_clock> {
  using clock = dspu::testing::manual_clock;

  static clock::duration to_wait_duration(const clock::duration& d) {
    auto deadline = clock::now_.load(std::memory_order_acquire);
    if (__builtin_add_overflow(deadline, d.count(), &deadline)) return clock::duration{0};
    auto nearest = clock::nearest_.load(std::memory_order_relaxed);
    while (deadline < nearest && !clock::nearest_.compare_exchange_weak(nearest, deadline)) {
    }
    return clock::duration{0};
  }

  static clock::duration to_wait_duration(const clock::time_point& t) { return to_wait_duration(t - clock::now()); }
};
