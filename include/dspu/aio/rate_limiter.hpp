// rate_limiter: lets through so many a second, in the order in which they came.
//
//   rate_limiter limiter{{.rate = 10, .per = 1s, .capacity = 20}};
//   co_await limiter.acquire();                  // waits until a token is there
//   auto polite = limiter(send);                 // co_await polite(request)
//
// A token bucket (core/token_bucket.hpp): it starts full, `rate` tokens flow in each `per`, and no more than
// `capacity` are kept. Who finds too few waits in line; nobody overtakes, and try_acquire fails while anybody
// waits. A waiter that is cancelled takes nothing, and those behind it move up.
//
// Thread-safety: everything may be called from any thread. With nobody waiting, acquiring is one clock
// reading and one compare-and-swap: no lock, no allocation, no trip through the event loop. Destroying the
// limiter ends all waits with operation_aborted; decorated callables must not be called after that.
#pragma once

#include "dspu/aio/detail/limiter_stage.hpp"
#include "dspu/aio/detail/limiter_state.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/aio/reservation.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>

namespace dspu::aio {

namespace detail {

struct initiate_acquire {
  std::shared_ptr<limiter_state> state;
  template <class Handler>
  void operator()(Handler&& handler, const wait_request& request) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    state->wait(waiting::make(state, request, std::forward<Handler>(handler), asio::system_executor{}), true);
  }
};

// Small: it lies in the frame of each who waits, twice.
struct initiate_own_wait {
  limiter_state* state;
  own_wait* wait;
  template <class Handler>
  void operator()(Handler&& handler) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    state->wait(waiting::make(state->shared_from_this(), *wait, std::forward<Handler>(handler)), false);
  }
};

}  // namespace detail

template <class Clock>
class basic_rate_limiter : public detail::verbs<basic_rate_limiter<Clock>> {
 public:
  using options_type = rate_limiter_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_rate_limiter(const rate_limiter_options& options)
      : state_(detail::make_limiter_state<Clock>(options)) {}
  basic_rate_limiter(const basic_rate_limiter&) = delete;
  basic_rate_limiter& operator=(const basic_rate_limiter&) = delete;
  ~basic_rate_limiter() { state_->abort_all(); }

  // Takes n tokens, waiting for them in line if need be.
  // Suspends: only if it has to wait. On cancel: operation_aborted, nothing is taken.
  // Throws: std::invalid_argument unless 0 < n <= capacity(), also where that becomes so while it waits;
  // queue_full_error.
  awaitable<void> acquire(double n = 1) {
    state_->checked(n);
    if (state_->try_take(n, now(), true)) co_return;
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) detail::throw_aborted();
    detail::own_wait wait(request_of(n, unbounded));
    auto waiting = asio::async_initiate<const asio::deferred_t&, void(std::exception_ptr)>(
        detail::initiate_own_wait{state_.get(), &wait}, asio::deferred);
    co_await std::move(waiting);
  }
  // The same within bounds. A deadline that has passed is refused even where the tokens are there.
  // Throws: also deadline_error, without suspending where the deadline cannot be met from the start.
  awaitable<void> acquire(double n, acquire_options options) {
    state_->checked(n);
    if (take_in_time(n, options)) co_return;
    co_await wait_for(n, options);
  }

  // The same for any completion token, with the signature void(error_code). Never completes inside the call.
  // The handler runs on its associated executor; every type of cancellation is honoured. Codes:
  // errc::queue_full, errc::would_exceed_deadline, operation_aborted, std::errc::invalid_argument if the
  // capacity becomes less than n.
  template <class Token>
  auto async_acquire(double n, Token&& token) {
    return async_acquire(n, acquire_options{}, std::forward<Token>(token));
  }
  template <class Token>
  auto async_acquire(double n, const acquire_options& options, Token&& token) {
    return asio::async_initiate<Token, void(error_code)>(detail::initiate_acquire{state_}, token,
                                                         request_of(state_->checked(n), options));
  }

  // Takes n tokens if they are there and nobody waits. Never suspends, writes nothing if it fails (unless it
  // counts). Throws: std::invalid_argument unless 0 < n <= capacity().
  bool try_acquire(double n = 1) {
    if (state_->try_take(state_->checked(n), now())) return true;
    state_->count_refusal();
    return false;
  }

  // n tokens for later: takes them if they are there, else a place in the line. Never suspends.
  // Throws: as acquire.
  reservation reserve(double n = 1, const acquire_options& options = {}) {
    return {state_, request_of(state_->checked(n), options)};
  }

  // From verbs: call(fn, args…), call_in(context, fn, args…), operator()(fn): acquires one token, then runs fn(args…).
  // On cancel: as acquire() and fn do; a token that arrives together with the cancellation goes back, and fn is not run.
  using detail::verbs<basic_rate_limiter>::call;
  // The same within bounds.
  template <class F, class... Args>
    requires detail::operation_for<F, Args...>
  auto call(const acquire_options& options, F fn, Args... args) {
    detail::limiter_stage<Clock, acquire_options> stage(*this, options);
    return detail::run_through(std::tuple(stage), detail::no_context{}, std::move(fn), std::move(args)...);
  }

  // Another rate or capacity for the first bandwidth from now on. The tokens in the bucket stay, cut at the
  // new capacity; those in line are planned anew. Who waits for more than the capacity now gets
  // std::invalid_argument (std::errc::invalid_argument by async_acquire), whose deadline cannot be met any
  // more gets deadline_error. Takes time in proportion to the line. Beyond 255 changes every acquisition
  // takes a lock. Throws: std::invalid_argument as the constructor; nothing is changed then.
  void set_rate(double rate, duration per = std::chrono::seconds{1}) { state_->set_bandwidth(rate, per); }
  void set_capacity(double capacity) { state_->set_capacity(capacity); }

  // All options anew, while it is in use: the bandwidths as above (further ones too; those that are new start full), and
  // the others from the next acquisition on. In shadow mode all go who wait. Takes time in proportion to the line.
  // Throws: std::invalid_argument as the constructor; nothing is changed then.
  void reconfigure(const rate_limiter_options& options) { state_->reconfigure(options); }
  rate_limiter_options options() const { return state_->options(); }

  // Empties the buckets: the server said that it has had enough. Those in line wait for tokens still to be
  // made.
  void drain() { state_->drain(core::instant::min()); }
  // The same, and no token is made before that instant of the limiter's clock. An earlier one changes
  // nothing.
  void drain_until(core::instant t) { state_->drain(t); }

  double rate() const { return state_->bucket().rate(); }
  duration per() const { return state_->bucket().per(); }
  // The most that may be asked for: the least of the capacities.
  double capacity() const { return state_->capacity(); }
  // Tokens there now, in [0, capacity()]; of several bandwidths where there are fewest.
  double tokens() const { return state_->available(now()); }
  std::size_t waiters() const { return state_->waiters(); }
  rate_limiter_statistics statistics() const { return state_->statistics(); }
  // Whether it decides as a new one would: full, nobody in line, no place in it reserved.
  bool is_fresh() const { return state_->is_fresh(now()); }
  // How often its options were changed.
  std::uint64_t revision() const { return state_->revision(); }

  // Its part in a pipeline, which refers to it.
  detail::limiter_stage<Clock> stage() & { return detail::limiter_stage<Clock>(*this); }

 private:
  template <class, class>
  friend class detail::limiter_stage;
  static core::instant now() { return core::instant_of(Clock::now()); }
  static constexpr acquire_options unbounded{};

  static detail::wait_request request_of(double n, const acquire_options& o) {
    return {n, o.deadline.value_or(core::instant::max()), nullptr, static_cast<int>(o.priority)};
  }

  bool take_in_time(double n, const acquire_options& o) {
    const auto at = now();
    const auto deadline = o.deadline.value_or(core::instant::max());
    return (at <= deadline || state_->shadow) && state_->try_take(n, at, true, deadline);
  }

  awaitable<void> wait_for(double n, acquire_options options) {
    const auto state = state_;
    detail::own_wait wait(request_of(n, options));
    if (wait.request.bounded()) {
      if (const auto no = state->refusal(wait.request)) throw deadline_error(no->needed, no->remaining);
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      detail::throw_aborted();
    }
    detail::wait_refusal no;
    wait.request.refusal = &no;
    auto waiting = asio::async_initiate<const asio::deferred_t&, void(error_code)>(
        detail::initiate_own_wait{state.get(), &wait}, asio::deferred);
    try {
      co_await std::move(waiting);
    } catch (const boost::system::system_error& e) {
      state->rethrow_as_refused(e.code(), n, no);
      throw;
    }
  }

  std::shared_ptr<detail::limiter_state> state_;
};

using rate_limiter = basic_rate_limiter<std::chrono::steady_clock>;

}  // namespace dspu::aio
