// Sleeping, for policies that wait between two things of their own. Here timers of coroutines are armed, nowhere else.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

// The end of a wait of d from now, in the clock's own time; the clock's last instant if that lies beyond.
template <class Clock>
typename Clock::time_point after(duration d) {
  const auto now = Clock::now();
  const auto room = std::chrono::duration_cast<duration>(Clock::time_point::max() - now);
  if (d >= room) return Clock::time_point::max();
  return now + std::chrono::ceil<typename Clock::duration>(d);
}

// Suspends: unless d <= 0. On cancel: operation_aborted, at once, also if the cancellation came before.
template <class Clock>
awaitable<void> sleep_for(duration d) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (d <= duration{0}) co_return;
  const auto executor = co_await asio::this_coro::executor;
  asio::basic_waitable_timer<Clock> timer(executor, after<Clock>(d));
  auto waiting = timer.async_wait(asio::deferred);
  co_await std::move(waiting);
}

}  // namespace dspu::aio::detail
