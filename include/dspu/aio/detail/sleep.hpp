// Sleeping, for policies that wait between two things of their own.
#pragma once

#include "dspu/aio/detail/asio.hpp"

namespace dspu::aio::detail {

// The body is in impl/sleep.ipp, so that whoever includes this need not compile timers.
// Suspends: unless d <= 0. On cancel: operation_aborted, at once, also if the cancellation came before.
template <class Clock>
awaitable<void> sleep_for(duration d);

}  // namespace dspu::aio::detail
