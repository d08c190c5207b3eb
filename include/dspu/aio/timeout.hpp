// run_with_timeout: an operation, but not for longer than this.
//
//   auto page = co_await run_with_timeout(fetch(url), 2s);            // throws async_timeout_error{2s}
//
// When the time is over the operation is cancelled and waited for: nothing of it runs on after the call has returned,
// and one that ignores cancellation delays it. A result that it still delivers, arriving together with the expiry or
// in spite of the cancellation, is kept; so is an error of its own. Only operation_aborted becomes async_timeout_error,
// and only if it was this timeout that expired and nobody cancelled the caller: nested timeouts blame the right one.
#pragma once

#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/detail/timeout_stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"

#include <boost/asio/recycling_allocator.hpp>

#include <chrono>
#include <concepts>
#include <memory>

namespace dspu::aio {

namespace detail {

// Cancels a child at an instant, unless it is disarmed before. Lives in the parent's frame.
template <class Clock>
class deadline {
 public:
  deadline(const asio::any_io_executor& ex, family& f, child& c, typename Clock::time_point t)
      : timer_(ex, t), shared_(std::allocate_shared<shared_state>(asio::recycling_allocator<shared_state>{})) {
    shared_->target = &c;
    timer_.async_wait([s = shared_, serial = f.serial()](error_code ec) {
      if (!ec) s->expire(serial);
    });
  }

  // Whether it was this that cancelled the child. After it, the child is left alone.
  bool disarm() {
    const std::lock_guard lock(shared_->mutex);
    shared_->target = nullptr;
    return shared_->expired;
  }

 private:
  struct shared_state {
    std::mutex mutex;
    child* target = nullptr;
    bool expired = false;

    void expire(bool serial) {
      std::unique_lock lock(mutex);
      if (target == nullptr) return;
      expired = true;
      child* const c = target;
      if (serial) lock.unlock();  // the child may end, and disarm us, inside the cancellation
      c->cancel(asio::cancellation_type::terminal);
    }
  };

  asio::basic_waitable_timer<Clock> timer_;
  std::shared_ptr<shared_state> shared_;
};

}  // namespace detail

// Throws: async_timeout_error; what the operation throws. A timeout of 0 or less: async_timeout_error at once, the
// operation is not started. Timeouts beyond the clock's range never expire.
// Suspends: as the operation does. On cancel: the operation is cancelled and waited for; its outcome is ours.
// Thread-safety: on an executor with several threads, operation and expiry are kept apart by a strand.
template <class Clock = std::chrono::steady_clock, class T>
awaitable<T> run_with_timeout(awaitable<T> op, duration timeout) {
  if (timeout <= duration{0}) throw async_timeout_error(timeout);
  const auto executor = co_await asio::this_coro::executor;
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);

  detail::result_slot<T> result;
  bool expired = false;
  {
    detail::family family(executor);
    detail::child child(family);
    const auto end = detail::after<Clock>(timeout);
    child.start(std::move(op), result);
    if (!family.all_ended()) {
      detail::deadline<Clock> deadline(executor, family, child, end);
      const auto cancellation = co_await asio::this_coro::cancellation_state;
      if (cancellation.cancelled() != asio::cancellation_type::none) child.cancel(cancellation.cancelled());
      auto joined = family.join();
      co_await std::move(joined);
      expired = deadline.disarm();
    }
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (expired && !result.has_value()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() == asio::cancellation_type::none && detail::is_aborted(result.error())) {
      throw async_timeout_error(timeout);
    }
  }
  co_return result.take();
}

// The same for a callable, which is called when the time starts to count.
template <class Clock = std::chrono::steady_clock, async_callable F>
awaitable<awaited_t<F>> run_with_timeout(F fn, duration timeout) {
  if (timeout <= duration{0}) throw async_timeout_error(timeout);
  auto op = fn();
  co_return co_await run_with_timeout<Clock>(std::move(op), timeout);
}

// The policy form of the same: `timeout(2s).call(fetch, url)`, `timeout(2s)(fetch)`.
template <class Clock>
class basic_timeout {
 public:
  explicit basic_timeout(aio::duration d) : duration_(d) {}

  template <class F, class... Args>
    requires async_callable<F, Args...>
  awaitable<awaited_t<F, Args...>> call(F fn, Args... args) const {
    return bounded(duration_, std::move(fn), std::move(args)...);
  }

  template <class F>
  auto operator()(F fn) const {
    return [d = duration_, fn = std::move(fn)]<class... Args>(Args&&... args)
      requires async_callable<const F, std::decay_t<Args>...>
    { return basic_timeout(d).call(fn, std::forward<Args>(args)...); };
  }

  aio::duration duration() const { return duration_; }

  // Its part in a pipeline.
  detail::timeout_stage<Clock> stage() const { return detail::timeout_stage<Clock>(duration_); }

 private:
  template <class F, class... Args>
  static awaitable<awaited_t<F, Args...>> bounded(aio::duration d, F fn, Args... args) {
    auto op = std::invoke(fn, std::move(args)...);
    co_return co_await run_with_timeout<Clock>(std::move(op), d);
  }

  aio::duration duration_;
};

using timeout = basic_timeout<std::chrono::steady_clock>;

}  // namespace dspu::aio
