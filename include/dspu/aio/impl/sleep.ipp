// The clock of coroutines that sleep, as in a retry. Included by clock_support.hpp.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/sleep.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

template <class Clock>
awaitable<void> sleep_for(duration d) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (d <= duration{0}) co_return;
  const auto executor = co_await asio::this_coro::executor;
  sleeper sleep;
  auto asleep = sleep.until(deadlines_of<Clock>(executor), after<Clock>(d).time_since_epoch().count());
  co_await asleep;
  sleep.check();
}

}  // namespace dspu::aio::detail
