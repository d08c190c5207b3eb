// Runs an operation on a serial executor, whatever the caller's is.
#pragma once

#include "dspu/aio/detail/family.hpp"

namespace dspu::aio::detail {

// As the only child of its caller: on an executor with several threads, in a lane of its own.
// On cancel: it is cancelled and waited for; its outcome is ours.
template <class T>
awaitable<T> apart(awaitable<T> op) {
  const auto executor = co_await asio::this_coro::executor;
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  result_slot<T> result;
  {
    family f(executor);
    child c(f);
    c.start_here(std::move(op), result);
    if (!f.all_ended()) {
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      auto joined = f.join(cancellation.cancelled());
      co_await std::move(joined);
    }
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result.take();
}

}  // namespace dspu::aio::detail
