#include "dspu/aio/detail/uncancelled.hpp"

namespace dspu::aio::detail {

awaitable<void> uncancelled(awaitable<void> op) {
  family f(co_await asio::this_coro::executor);
  child c(f);
  result_slot<void> dropped;
  std::exception_ptr failure;
  try {
    c.start(std::move(op), dropped);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!f.all_ended()) {
    auto joined = f.join_uncancelled();
    co_await joined;
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace dspu::aio::detail
