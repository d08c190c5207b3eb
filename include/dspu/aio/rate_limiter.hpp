// rate_limiter: lets through so many a second, in the order in which they came.
//
//   rate_limiter limiter{{.rate = 10, .per = 1s, .capacity = 20}};
//   co_await limiter.acquire();                  // waits until a token is there
//   auto polite = limiter(send);                 // co_await polite(request)
//
// A token bucket (core/token_bucket.hpp): it starts full, `rate` tokens flow in each `per`, and no more than `capacity`
// are kept. Who finds too few waits in line; nobody overtakes, and try_acquire fails while anybody waits. A waiter that
// is cancelled takes nothing, and those behind it move up.
//
// Thread-safety: everything may be called from any thread. With nobody waiting, acquiring is one clock reading and one
// compare-and-swap: no lock, no allocation, no trip through the event loop. Destroying the limiter ends all waits with
// operation_aborted; decorated callables must not be called after that.
#pragma once

#include "dspu/aio/detail/wait_queue.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/core/token_bucket.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace dspu::aio {

namespace detail {

template <class Clock>
class limiter_stage;

// All of a limiter but its timer. The word holds the bucket's level, doubled, plus 1 while anybody waits; only who
// holds the lock changes it then, which is what keeps the line closed to those who come by.
class limiter_state : public wait_queue {
 public:
  limiter_state(const rate_limiter_options& options, core::instant start);

  bool try_take(core::token_bucket::units n, core::instant now) {
    auto word = word_.load(std::memory_order_relaxed);
    for (;;) {
      if (word & 1) return false;
      const auto level = bucket.take(word >> 1, n, now);
      if (!level) return false;
      if (word_.compare_exchange_weak(word, *level << 1, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return true;
      }
    }
  }

  // Throws: std::invalid_argument unless 0 < tokens <= capacity.
  core::token_bucket::units checked_units(double tokens) const {
    if (!(tokens > 0 && tokens <= bucket.capacity())) reject_tokens(tokens);
    return bucket.units_of(tokens);
  }

  // Puts `w` in the line, or fails it if that is full. One that is `new_here` and finds tokens is granted at once.
  // Others have just found none; they queue even if there are some by now, so that those who come between this and
  // their resumption do not go first.
  // One whose deadline comes first is refused.
  virtual void wait(waiter_ptr w, bool new_here) = 0;

  // Why a wait for n would be in vain, if it would be.
  std::optional<wait_refusal> refusal(core::token_bucket::units n, core::instant deadline, core::instant now);

  // Puts back what was taken and not used: those in line move up.
  void give_back(core::token_bucket::units n) override = 0;

  double available(core::instant now) const { return bucket.available(word_.load() >> 1, now); }
  std::size_t waiters();

  const core::token_bucket bucket;
  const std::size_t max_waiters;

 protected:
  [[noreturn]] void reject_tokens(double tokens) const;
  // The same, with the lock held.
  std::optional<wait_refusal> would_exceed(core::token_bucket::units n, core::instant deadline,
                                           core::instant now) const;
  void close_line() { word_.fetch_or(1, std::memory_order_acq_rel); }
  void open_line() { word_.fetch_and(~std::int64_t{1}, std::memory_order_acq_rel); }

  std::atomic<std::int64_t> word_{0};
};

template <class Clock>
std::shared_ptr<limiter_state> make_limiter_state(const rate_limiter_options& options);

struct initiate_acquire {
  std::shared_ptr<limiter_state> state;
  bool new_here;
  template <class Handler>
  void operator()(Handler&& handler, const wait_request& request) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    state->wait(waiting::make(state, request, std::forward<Handler>(handler), asio::system_executor{}), new_here);
  }
};

}  // namespace detail

template <class Clock>
class basic_rate_limiter {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_rate_limiter(const rate_limiter_options& options)
      : state_(detail::make_limiter_state<Clock>(options)) {}
  basic_rate_limiter(const basic_rate_limiter&) = delete;
  basic_rate_limiter& operator=(const basic_rate_limiter&) = delete;
  ~basic_rate_limiter() { state_->abort_all(); }

  // Takes n tokens, waiting for them in line if need be.
  // Suspends: only if it has to wait. On cancel: operation_aborted, nothing is taken.
  // Throws: std::invalid_argument unless 0 < n <= capacity(); queue_full_error.
  awaitable<void> acquire(double n = 1) {
    const auto units = state_->checked_units(n);
    if (state_->try_take(units, now())) co_return;
    co_await wait_for(units, unbounded);
  }

  // The same within bounds. A deadline that has passed is refused even where the tokens are there.
  // Throws: also deadline_error, without suspending where the deadline cannot be met from the start.
  awaitable<void> acquire(double n, acquire_options options) {
    const auto units = state_->checked_units(n);
    const auto at = now();
    if (at <= deadline_of(options) && state_->try_take(units, at)) co_return;
    co_await wait_for(units, options);
  }

  // The same for any completion token, with the signature void(error_code). Never completes inside the call.
  // The handler runs on its associated executor; every type of cancellation is honoured. Codes: errc::queue_full,
  // errc::would_exceed_deadline, operation_aborted.
  template <class Token>
  auto async_acquire(double n, Token&& token) {
    return async_acquire(n, acquire_options{}, std::forward<Token>(token));
  }
  template <class Token>
  auto async_acquire(double n, const acquire_options& options, Token&& token) {
    const detail::wait_request request{state_->checked_units(n), deadline_of(options), nullptr};
    return initiate(request, true, std::forward<Token>(token));
  }

  // Takes n tokens if they are there and nobody waits. Never suspends, writes nothing if it fails.
  // Throws: std::invalid_argument unless 0 < n <= capacity().
  bool try_acquire(double n = 1) { return state_->try_take(state_->checked_units(n), now()); }

  // Acquires one token, then runs fn(args…). On cancel: as acquire() and fn do; a token that arrives together with the
  // cancellation goes back, and fn is not run.
  template <class F, class... Args>
    requires async_callable<F, Args...>
  awaitable<awaited_t<F, Args...>> call(F fn, Args... args) {
    const auto units = state_->checked_units(1);
    if (!state_->try_take(units, now())) co_await wait_to_call(units, unbounded);
    co_return co_await std::invoke(fn, std::move(args)...);
  }
  template <class F, class... Args>
    requires async_callable<F, Args...>
  awaitable<awaited_t<F, Args...>> call(acquire_options options, F fn, Args... args) {
    const auto units = state_->checked_units(1);
    const auto at = now();
    if (at > deadline_of(options) || !state_->try_take(units, at)) co_await wait_to_call(units, options);
    co_return co_await std::invoke(fn, std::move(args)...);
  }

  template <class F>
  decorated<basic_rate_limiter, std::decay_t<F>> operator()(F&& fn) {
    return {*this, std::forward<F>(fn)};
  }

  double rate() const { return state_->bucket.rate(); }
  duration per() const { return state_->bucket.per(); }
  double capacity() const { return state_->bucket.capacity(); }
  // Tokens there now, in [0, capacity()].
  double tokens() const { return state_->available(now()); }
  std::size_t waiters() const { return state_->waiters(); }

  // Its part in a pipeline, which refers to it.
  detail::limiter_stage<Clock> stage() & { return detail::limiter_stage<Clock>(*this); }

 private:
  friend class detail::limiter_stage<Clock>;
  static core::instant now() { return core::instant_of(Clock::now()); }

  static constexpr acquire_options unbounded{};
  static core::instant deadline_of(const acquire_options& o) { return o.deadline.value_or(core::instant::max()); }

  template <class Token>
  auto initiate(const detail::wait_request& request, bool new_here, Token&& token) {
    return asio::async_initiate<Token, void(error_code)>(detail::initiate_acquire{state_, new_here}, token, request);
  }

  awaitable<void> wait_for(core::token_bucket::units units, acquire_options options) {
    const auto state = state_;
    const auto deadline = deadline_of(options);
    if (options.deadline) {
      if (const auto no = state->refusal(units, deadline, now())) throw deadline_error(no->needed, no->remaining);
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    detail::wait_refusal no;
    const detail::wait_request request{units, deadline, &no};
    auto waiting = initiate(request, false, asio::deferred);
    try {
      co_await std::move(waiting);
    } catch (const boost::system::system_error& e) {
      if (e.code() == errc::would_exceed_deadline) throw deadline_error(no.needed, no.remaining);
      if (e.code() == errc::queue_full) throw queue_full_error(state->max_waiters);
      throw;
    }
  }

  awaitable<void> wait_to_call(core::token_bucket::units units, acquire_options options) {
    const auto state = state_;
    co_await wait_for(units, options);
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() == asio::cancellation_type::none) co_return;
    state->give_back(units);
    throw boost::system::system_error(asio::error::operation_aborted);
  }

  std::shared_ptr<detail::limiter_state> state_;
};

using rate_limiter = basic_rate_limiter<std::chrono::steady_clock>;

}  // namespace dspu::aio

#include "dspu/aio/detail/limiter_stage.hpp"
