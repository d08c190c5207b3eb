#include "dspu/aio/detail/places.hpp"

#include "dspu/aio/error.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

struct places::initiate_wait {
  std::shared_ptr<places> self;
  own_wait* wait;
  template <class Handler>
  void operator()(Handler&& handler) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    self->wait(waiting::make(self, *wait, std::forward<Handler>(handler)));
  }
};

bool places::try_enter() {
  const std::lock_guard lock(mutex_);
  return machine_.in_flight() < machine_.limit() && machine_.enter() == core::bulkhead_entry::go;
}

void places::leave() {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    if (machine_.leave() > 0) pop_front_into(going);
  }
  going.complete(error_code{});
}

core::bulkhead_machine places::snapshot() {
  const std::lock_guard lock(mutex_);
  return machine_;
}

void places::wait(waiter_ptr w) {
  waiter_list answered;
  error_code ec;
  {
    const std::lock_guard lock(mutex_);
    switch (machine_.enter()) {
      case core::bulkhead_entry::wait: push_back(*w.release()); return;
      case core::bulkhead_entry::refuse: ec = errc::bulkhead_full; break;
      case core::bulkhead_entry::go: break;
    }
    answered.push_back(*w.release());
  }
  answered.complete(ec);
}

void places::left() {
  while (machine_.waiting() > static_cast<std::int64_t>(size())) machine_.abandon();
}

awaitable<void> places::wait_for_place(std::shared_ptr<places> self) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  own_wait wait(wait_request{.amount = 1});
  auto waiting = asio::async_initiate<const asio::deferred_t&, void(error_code)>(initiate_wait{self, &wait},
                                                                                 asio::deferred);
  bool full = false;
  try {
    co_await std::move(waiting);
  } catch (const boost::system::system_error& e) {
    if (e.code() != errc::bulkhead_full) throw;
    full = true;
  }
  if (full) {
    const auto now = self->snapshot();
    throw bulkhead_full_error(now.limit(), now.waiting());
  }
}

}  // namespace dspu::aio::detail
