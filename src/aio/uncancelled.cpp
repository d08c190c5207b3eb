#include "dspu/aio/detail/uncancelled.hpp"

namespace dspu::aio::detail {

awaitable<void> uncancelled(awaitable<void> op) {
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  family f(co_await asio::this_coro::executor);
  child c(f);
  result_slot<void> dropped;
  c.start(std::move(op), dropped);
  if (!f.all_ended()) {
    auto joined = f.join_uncancelled();
    co_await std::move(joined);  // NOLINT(performance-move-const-arg): Asio awaits operations as rvalues
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace dspu::aio::detail
