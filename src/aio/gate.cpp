#include "dspu/aio/detail/gate.hpp"

#include "dspu/aio/detail/suspension.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

void gate::open() {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    open_ = true;
    while (!empty()) grant_front_into(going);
  }
  going.complete(error_code{});
}

void gate::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
}

bool gate::is_open() {
  const std::lock_guard lock(mutex_);
  return open_;
}

void gate::wait(waiter_ptr w) {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    if (open_) {
      going.push_back(*w.release());
    } else {
      push_back(*w.release());
    }
  }
  going.complete(error_code{});
}

awaitable<void> gate::pass(std::shared_ptr<gate> self) {
  if (self->is_open()) co_return;
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  own_wait room(wait_request{});
  operation_wait wait;
  auto begun = wait.on([&self, &room](operation_wait::handler h) {
    self->wait(handler_waiter<operation_wait::handler>::make(self, room, std::move(h)));
  });
  co_await begun;
  if (const auto ec = wait.take()) throw boost::system::system_error(ec);
}

}  // namespace dspu::aio::detail
