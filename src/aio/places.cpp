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

// Who goes has a place already.
void places::let_go(std::int64_t n, waiter_list& going) {
  for (; n > 0; --n) grant_front_into(going);
}

void places::leave() {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    let_go(machine_.leave(), going);
    keep_watch();
  }
  going.complete(error_code{});
}

void places::set_limit(std::int64_t n) {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    let_go(machine_.set_limit(n), going);
    keep_watch();
  }
  going.complete(error_code{});
}

void places::reconfigure(const core::bulkhead_options& options, bool open) {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    let_go(machine_.reconfigure(options), going);
    open_ = open;
    if (open) {
      let_go(machine_.rejoin(static_cast<std::int64_t>(recall_all())), going);
      let_go(machine_.release_waiters(), going);
    }
    keep_watch();
  }
  going.complete(error_code{});
}

core::bulkhead_machine places::snapshot() {
  const std::lock_guard lock(mutex_);
  return machine_;
}

std::int64_t places::waiting() {
  const std::lock_guard lock(mutex_);
  return machine_.waiting() + static_cast<std::int64_t>(outside());
}

bool places::is_fresh() {
  const std::lock_guard lock(mutex_);
  return machine_.is_fresh() && outside() == 0;
}

void places::wait(waiter_ptr w) {
  waiter_list answered;
  error_code ec;
  {
    const std::lock_guard lock(mutex_);
    switch (machine_.enter()) {
      case core::bulkhead_entry::wait:
        push_back(*w.release());
        left();  // if it was passed over at once
        if (open_) let_go(machine_.release_waiters(), answered);
        break;
      case core::bulkhead_entry::go: grant_newcomer_into(answered, *w.release()); break;
      case core::bulkhead_entry::refuse:
        ec = errc::bulkhead_full;
        answered.push_back(*w.release());
        break;
    }
    keep_watch();
  }
  answered.complete(ec);
}

void places::left() {
  while (machine_.waiting() > static_cast<std::int64_t>(size())) machine_.abandon();
}

void places::came_back(std::size_t n, waiter_list& going) {
  let_go(machine_.rejoin(static_cast<std::int64_t>(n)), going);
  if (open_) let_go(machine_.release_waiters(), going);
}

void places::take_back(const waiter&, waiter_list& going) { let_go(machine_.leave(), going); }

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
