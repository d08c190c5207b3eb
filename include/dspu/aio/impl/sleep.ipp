// The timer of coroutines that sleep. Include this in one source file and instantiate detail::sleep_for<Clock> there, to use a
// retry or a shield_scope with a clock of your own.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/sleep.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/deferred.hpp>
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
  asio::basic_waitable_timer<Clock> timer(executor, after<Clock>(d));
  auto waiting = timer.async_wait(asio::deferred);
  co_await std::move(waiting);
}

}  // namespace dspu::aio::detail
