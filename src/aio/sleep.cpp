#include "dspu/aio/impl/sleep.ipp"

#include "dspu/aio/clocks.hpp"

#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>

namespace dspu::aio::detail {

void sleeper::begin(frame_base& f, deadlines& all, std::int64_t at) {
  all_ = &all;
  auto slot = running_thread::of(f).get_cancellation_slot();
  try {
    if (slot.is_connected()) slot.assign([this](asio::cancellation_type_t) { cancel(); });
  } catch (...) {
    failure_ = std::current_exception();
    return;
  }
  parked_.park(f);
  try {
    all.add(*this, at);
  } catch (...) {
    failure_ = std::current_exception();
    parked_.unpark();
  }
}

void sleeper::check() const {
  if (failure_) std::rethrow_exception(failure_);
  if (cancelled_) throw boost::system::system_error(asio::error::operation_aborted);
}

// On the coroutine's executor.
void sleeper::cancel() {
  if (!all_->remove(*this)) return;  // its time has come
  cancelled_ = true;
  post_surely_to(parked_.executor());
}

void sleeper::expire(std::unique_lock<std::mutex>& lock) {
  const auto executor = parked_.executor();
  if (!is_loop_of_one_thread(executor)) return post_surely_to(executor);
  lock.unlock();
  parked_.resume();
}

template awaitable<void> sleep_for<std::chrono::steady_clock>(duration);
template awaitable<void> sleep_for<tsc_clock>(duration);
template awaitable<void> sleep_for<coarse_clock>(duration);

}  // namespace dspu::aio::detail
