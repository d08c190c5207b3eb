#include "dspu/aio/detail/gate.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

struct gate::initiate_wait {
  std::shared_ptr<gate> self;
  own_wait* wait;
  template <class Handler>
  void operator()(Handler&& handler) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    self->wait(waiting::make(self, *wait, std::forward<Handler>(handler)));
  }
};

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
  own_wait wait(wait_request{});
  auto waiting = asio::async_initiate<const asio::deferred_t&, void(error_code)>(initiate_wait{self, &wait},
                                                                                 asio::deferred);
  co_await std::move(waiting);
}

}  // namespace dspu::aio::detail
