// circuit_breaker: stops calling what keeps failing, and finds out carefully when it works again.
//
//   circuit_breaker breaker{{.failure_threshold = 5, .timeout = 30s}};
//   co_await breaker.call(fetch, url);           // throws circuit_breaker_error while open
//   auto guarded = breaker(fetch);               // co_await guarded(url)
//
// closed → open after `failure_threshold` consecutive failures; open → half-open on the first call after `timeout`;
// half-open → closed after `success_threshold` successes, or → open on one failure (core/breaker_machine.hpp has the
// picture). A cancelled call counts neither way and gives its probe's place back; results of calls admitted in an
// earlier state are dropped.
//
// Thread-safety: everything may be called from any thread. While closed without failures, a call costs two atomic loads
// and writes nothing shared. The breaker must outlive the calls made through it.
#pragma once

#include "dspu/aio/callback.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/core/breaker_machine.hpp"

#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>

namespace dspu::aio {

struct circuit_breaker_options {
  // Consecutive failures that open it. At least 1.
  std::int64_t failure_threshold = 5;
  // Successes in half-open that close it. At least 1.
  std::int64_t success_threshold = 2;
  // How long it stays open. At least 0.
  duration timeout = std::chrono::seconds{60};
  // Probes let in at once while half-open; others are refused. At least 1; without it: success_threshold.
  std::optional<std::int64_t> half_open_max_calls = std::nullopt;
  // Which outcomes are failures. Without it: every exception, and every result without a value.
  classifier classify = nullptr;
  // Called after each change as (old, new), plain or asynchronous; in order, one at a time, outside any lock. It may
  // use the breaker; what it throws is dropped. An asynchronous one is awaited by the call that made the change, or by
  // the next call if the change was made without a coroutine at hand (reset(), a permit settled by hand).
  callback<circuit_state, circuit_state> on_state_change = nullptr;
};

template <class Clock>
class basic_circuit_breaker;

namespace detail {

template <class Clock>
class breaker_stage;

// All of a breaker but its clock.
class breaker_state {
 public:
  using entry = core::admission;

  explicit breaker_state(circuit_breaker_options options);

  // A generation to settle with, if calls are let in without further ado.
  std::optional<std::uint64_t> enter_closed() const {
    const auto word = word_.load(std::memory_order_acquire);
    if ((word & closed_bit) == 0) return std::nullopt;
    return word >> word_shift;
  }
  entry enter(core::instant now);
  // While open: until when. Readable without the lock; at worst a little old.
  bool surely_open(core::instant now) const {
    return (word_.load(std::memory_order_acquire) & open_bit) != 0 &&
           now.time_since_epoch().count() < open_until_.load(std::memory_order_relaxed);
  }

  // True if there is nothing to record: closed, without failures, of that generation, no event undelivered.
  bool success_changes_nothing(std::uint64_t generation) const {
    return word_.load(std::memory_order_acquire) == (generation << word_shift | closed_bit | clean_bit);
  }
  void settle(std::uint64_t generation, verdict v, core::instant now);
  void reset();

  circuit_breaker_error refusal(std::optional<duration> retry_after) const;
  const circuit_breaker_options& options() const { return options_; }
  const classifier& classify() const { return options_.classify; }
  verdict judge(const outcome& o) const { return options_.classify ? options_.classify(o) : default_verdict(o); }

  bool events_pending() const { return events_pending_.load(std::memory_order_acquire); }
  // Calls a plain callback for each change not yet told of. An asynchronous one waits for deliver_async().
  void deliver();
  awaitable<void> deliver_async();

  core::breaker_machine snapshot() const;

 private:
  static constexpr std::uint64_t closed_bit = 1;
  static constexpr std::uint64_t clean_bit = 2;
  static constexpr std::uint64_t open_bit = 4;
  static constexpr int word_shift = 3;

  void note(std::optional<core::circuit_transition> t);
  void publish();
  std::optional<core::circuit_transition> next_event();
  void end_delivery();

  const circuit_breaker_options options_;
  mutable std::mutex mutex_;
  core::breaker_machine machine_;
  std::deque<core::circuit_transition> events_;
  bool delivering_ = false;
  std::atomic<std::uint64_t> word_{0};  // generation and the three bits above
  std::atomic<std::int64_t> open_until_{0};
  std::atomic<bool> events_pending_{false};
};

}  // namespace detail

template <class Clock>
class basic_circuit_breaker {
 public:
  // The right to make one call. Settle it once; destroyed unsettled, it counts as ignored.
  class permit {
   public:
    permit(permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)),
          generation_(other.generation_),
          retry_after_(other.retry_after_) {}
    permit& operator=(permit&&) = delete;
    ~permit() {
      if (breaker_ != nullptr) settle(verdict::ignored);
    }

    explicit operator bool() const { return breaker_ != nullptr; }
    // If refused: how long until a probe may be let in, if that is known.
    std::optional<duration> retry_after() const { return retry_after_; }

    // Whether success() would be the same as doing nothing: closed, without failures, nobody to be told.
    bool success_changes_nothing() const {
      return breaker_ == nullptr || breaker_->state_.success_changes_nothing(generation_);
    }
    void success() { settle(verdict::success); }
    void failure() { settle(verdict::failure); }
    // Settling again, or settling what was refused, does nothing.
    void settle(verdict v) {
      auto* breaker = std::exchange(breaker_, nullptr);
      if (breaker == nullptr) return;
      if (v == verdict::success && breaker->state_.success_changes_nothing(generation_)) return;
      breaker->state_.settle(generation_, v, now());
      breaker->state_.deliver();
    }

   private:
    friend class basic_circuit_breaker;
    permit(basic_circuit_breaker* breaker, std::uint64_t generation) : breaker_(breaker), generation_(generation) {}
    explicit permit(std::optional<duration> retry_after) : retry_after_(retry_after) {}

    basic_circuit_breaker* breaker_ = nullptr;
    std::uint64_t generation_ = 0;
    std::optional<duration> retry_after_;
  };

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_circuit_breaker(circuit_breaker_options options = {}) : state_(std::move(options)) {}
  basic_circuit_breaker(const basic_circuit_breaker&) = delete;
  basic_circuit_breaker& operator=(const basic_circuit_breaker&) = delete;

  // Runs fn(args…) if the breaker lets it.
  // Suspends: as fn and an asynchronous on_state_change do. On cancel: as fn does; the call counts as ignored.
  // Throws: circuit_breaker_error if refused; what fn throws.
  template <class F, class... Args>
    requires async_callable<F, Args...>
  awaitable<awaited_t<F, Args...>> call(F fn, Args... args);

  // Asks for the right to make a call without calling anything: `if (auto p = breaker.try_permit()) …`. Never suspends.
  permit try_permit();

  template <class F>
  decorated<basic_circuit_breaker, std::decay_t<F>> operator()(F&& fn) {
    return {*this, std::forward<F>(fn)};
  }

  // Closes it and forgets all counts; calls still out no longer matter.
  void reset() {
    state_.reset();
    state_.deliver();
  }

  // Open turns half-open on a call, not by itself.
  circuit_state state() const { return state_.snapshot().state(); }
  // Consecutive failures; while open or half-open, those that opened it.
  std::int64_t failure_count() const { return state_.snapshot().failure_count(); }
  // Successes in the newest half-open.
  std::int64_t success_count() const { return state_.snapshot().success_count(); }
  std::optional<typename Clock::time_point> last_failure_time() const {
    const auto t = state_.snapshot().last_failure_time();
    if (!t) return std::nullopt;
    return typename Clock::time_point{std::chrono::duration_cast<typename Clock::duration>(t->time_since_epoch())};
  }

  // Its part in a pipeline, which refers to it.
  detail::breaker_stage<Clock> stage() & { return detail::breaker_stage<Clock>(*this); }

 private:
  friend class detail::breaker_stage<Clock>;
  static core::instant now() { return core::instant_of(Clock::now()); }

  detail::breaker_state state_;
};

using circuit_breaker = basic_circuit_breaker<std::chrono::steady_clock>;

template <class Clock>
auto basic_circuit_breaker<Clock>::try_permit() -> permit {
  if (const auto generation = state_.enter_closed()) return permit(this, *generation);
  const auto entry = state_.enter(now());
  state_.deliver();
  return entry.admitted ? permit(this, entry.generation) : permit(entry.retry_after);
}

template <class Clock>
template <class F, class... Args>
  requires async_callable<F, Args...>
awaitable<awaited_t<F, Args...>> basic_circuit_breaker<Clock>::call(F fn, Args... args) {
  using value_type = awaited_t<F, Args...>;
  permit p = try_permit();
  if (state_.events_pending()) co_await state_.deliver_async();
  if (!p) throw state_.refusal(p.retry_after());

  detail::result_slot<value_type> result;
  try {
    if constexpr (std::is_void_v<value_type>) {
      co_await std::invoke(fn, std::move(args)...);
      result.emplace();
    } else {
      result.emplace(co_await std::invoke(fn, std::move(args)...));
    }
  } catch (...) {
    result.fail(std::current_exception());
  }
  if (detail::is_plain_success(result, state_.classify())) {
    p.success();
  } else {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    const bool cancelled = cancellation.cancelled() != asio::cancellation_type::none;
    p.settle(cancelled && !result.has_value() ? verdict::ignored : state_.judge(detail::outcome_of(result)));
  }
  if (state_.events_pending()) {  // told even if we are cancelled: an await must not throw past it
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await state_.deliver_async();
    co_await asio::this_coro::throw_if_cancelled(throws);
  }
  co_return result.take();
}

}  // namespace dspu::aio

#include "dspu/aio/detail/breaker_stage.hpp"
