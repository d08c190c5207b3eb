// Runs an operation on a serial executor, whatever the caller's is.
#pragma once

#include "dspu/aio/detail/family.hpp"

#include <exception>
#include <utility>

namespace dspu::aio::detail {

// As the only child of its caller: on an executor with several threads, in a lane of its own.
// On cancel: it is cancelled and waited for; its outcome is ours.
template <class T>
awaitable<T> apart(awaitable<T> op) {
  const auto executor = co_await asio::this_coro::executor;
  result_slot<T> result;
  family f(executor);
  child c(f);
  std::exception_ptr failure;
  try {
    c.start_here(std::move(op), result);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!f.all_ended()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    auto joined = f.join(cancellation.cancelled());
    co_await joined;
  }
  if (failure) std::rethrow_exception(failure);
  f.rethrow_failure();
  co_return result.take();
}

}  // namespace dspu::aio::detail
