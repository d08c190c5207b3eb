// One run for many callers, and who waits for it.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/context_link.hpp"
#include "dspu/aio/detail/gate.hpp"
#include "dspu/aio/detail/launch.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/aio/detail/serial.hpp"
#include "dspu/aio/detail/uncancelled.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace dspu::aio::detail {

// What callers of one run share, whatever its type is. It is linked to the context where it runs, as long as it does.
class flight_core : public context_link {
 public:
  // `caller` is the first one's executor.
  explicit flight_core(const asio::any_io_executor& caller);

  // Where it runs: serial, so that the signal is emitted where it is heard.
  const asio::any_io_executor& executor() const { return executor_; }
  bool runs_in(const asio::any_io_executor& ex) const;
  asio::cancellation_slot slot() { return signal_.slot(); }
  const std::shared_ptr<gate>& over() const { return over_; }

  // In the context where it is to run.
  void begin();
  void end();
  // These two from any thread.
  void cancel() noexcept;
  // Asks the event loop where it runs for a sign of life. Returns: the question's number.
  std::uint64_t ask();
  bool has_answered(std::uint64_t question) const { return answered_.load(std::memory_order_acquire) >= question; }

  std::size_t waiting = 0;  // guarded by the flights' lock

 protected:
  ~flight_core() override = default;

 private:
  void context_gone() override {}
  void answer(std::uint64_t question);

  const asio::any_io_executor executor_;
  asio::cancellation_signal signal_;  // touched on executor_ only, once it runs
  const std::shared_ptr<gate> over_ = std::make_shared<gate>();
  std::atomic<std::uint64_t> asked_{0};
  std::atomic<std::uint64_t> answered_{0};
};

// How long a run's event loop may give no sign of life before those on other loops run their own operation.
struct flight_patience {
  duration time;
};

// Waits until the gate is open, but not for longer than that.
template <class Clock>
awaitable<void> pass_within(std::shared_ptr<gate> g, duration d) {
  cancel_scope scope;
  time_limit<Clock> limit(scope, after<Clock>(d));
  auto op = gate::pass(g);
  auto step = scope.run<void>(op);
  co_await step;
  scope.close();
  if (!limit.disarm() || scope.cancelled_by_caller()) co_return op.await_resume();
  try {
    op.await_resume();
  } catch (const boost::system::system_error&) {  // the limit's doing
  }
}

// Waits until the run has ended; for one on another event loop, or until its own gives no sign of life.
template <class Clock>
awaitable<void> wait_for_end(std::shared_ptr<flight_core> f, bool elsewhere, flight_patience patience) {
  if (!elsewhere) {
    auto passed = gate::pass(f->over());
    co_await std::move(passed);
    co_return;
  }
  while (!f->over()->is_open()) {
    const auto question = f->ask();
    auto passed = pass_within<Clock>(f->over(), patience.time);
    co_await std::move(passed);
    if (!f->has_answered(question)) co_return;
  }
}

template <class T>
class flight final : public flight_core {
 public:
  using flight_core::flight_core;

  // Written before the gate opens, and not after. Empty then: the run was destroyed with its event loop.
  result_slot<T> result;

  // A copy, or the error.
  T copy() {
    if (!result.has_value()) std::rethrow_exception(result.error());
    if constexpr (!std::is_void_v<T>) return std::as_const(result.value());
  }
};

// The runs under way, by key. Thread-safe.
template <class Key, class T, class Hash, class Equal>
class flights {
 public:
  using key_type = Key;
  using result_type = T;
  struct boarding {
    std::shared_ptr<flight<T>> to;
    bool first;
  };

  // Counts as one who waits, from now on until leave().
  boarding board(const Key& key, const asio::any_io_executor& caller) {
    const std::lock_guard lock(mutex_);
    auto& place = by_key_[key];
    const bool first = place == nullptr;
    try {
      if (first) place = std::make_shared<flight<T>>(caller);
    } catch (...) {
      by_key_.erase(key);
      throw;
    }
    if (!first) ++shared_;
    ++place->waiting;
    return {place, first};
  }
  // True if that was the last one: nobody comes to that run any more.
  bool leave(const Key& key, flight<T>& f) {
    const std::lock_guard lock(mutex_);
    if (--f.waiting > 0) return false;
    take_out(key, f);
    return true;
  }
  // The run has ended.
  void land(const Key& key, const flight<T>& f) {
    const std::lock_guard lock(mutex_);
    take_out(key, f);
  }

  std::size_t in_flight() const {
    const std::lock_guard lock(mutex_);
    return by_key_.size();
  }
  std::size_t shared() const {
    const std::lock_guard lock(mutex_);
    return shared_;
  }

 private:
  void take_out(const Key& key, const flight<T>& f) {
    const auto found = by_key_.find(key);
    if (found != by_key_.end() && found->second.get() == &f) by_key_.erase(found);
  }

  mutable std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<flight<T>>, Hash, Equal> by_key_;
  std::size_t shared_ = 0;
};

// The end of a run, also if that is destroyed where it stands.
template <class Flights>
class landing {
 public:
  using flight_type = flight<typename Flights::result_type>;

  landing(std::shared_ptr<Flights> all, typename Flights::key_type key, std::shared_ptr<flight_type> f)
      : all_(std::move(all)), key_(std::move(key)), flight_(std::move(f)) {}
  landing(landing&&) = default;
  landing& operator=(landing&&) = delete;
  ~landing() {
    if (!all_) return;
    all_->land(key_, *flight_);
    flight_->end();
    flight_->over()->open();
  }
  flight_type& operator*() const { return *flight_; }

 private:
  std::shared_ptr<Flights> all_;
  typename Flights::key_type key_;
  std::shared_ptr<flight_type> flight_;
};

// A caller's, from when it has asked for the result until it has it or does not want it any more.
template <class Flights>
class seat {
 public:
  using flight_type = flight<typename Flights::result_type>;

  seat(Flights& all, const typename Flights::key_type& key, const asio::any_io_executor& caller)
      : all_(all), key_(key), boarded_(all.board(key, caller)) {}
  seat(const seat&) = delete;
  seat& operator=(const seat&) = delete;
  ~seat() {
    if (!left_ && !over() && leave()) boarded_.to->cancel();
  }

  bool first() const { return boarded_.first; }
  const std::shared_ptr<flight_type>& to() const { return boarded_.to; }
  bool over() const { return boarded_.to->over()->is_open(); }
  // True if nobody else waits.
  bool leave() {
    left_ = true;
    return all_.leave(key_, *boarded_.to);
  }
  // Nobody comes to that run any more.
  void close() { all_.land(key_, *boarded_.to); }

 private:
  Flights& all_;
  const typename Flights::key_type& key_;
  const typename Flights::boarding boarded_;
  bool left_ = false;
};

// `end` is the first parameter, so the last to be destroyed: when the callers go on, fn and args are gone.
template <class Flights, class F, class... Args>
thread_main run_flight(landing<Flights> end, F fn, Args... args) {
  auto& result = (*end).result;
  try {
    auto op = std::invoke(fn, std::move(args)...);
    if constexpr (std::is_void_v<typename Flights::result_type>) {
      co_await std::move(op);
      result.emplace();
    } else {
      result.emplace(co_await std::move(op));
    }
  } catch (...) {
    result.fail(std::current_exception());
  }
}

template <class Clock, class Flights, class F, class... Args>
awaitable<typename Flights::result_type> fly(std::shared_ptr<Flights> all, flight_patience patience,
                                             typename Flights::key_type key, F fn, Args... args) {
  const auto executor = co_await asio::this_coro::executor;
  for (;;) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    seat<Flights> mine(*all, key, executor);
    auto& f = *mine.to();
    if (mine.first()) {
      f.begin();
      auto body = run_flight(landing<Flights>(all, key, mine.to()), std::move(fn), std::move(args)...);
      thread_of_execution thread(f.executor(), std::move(body), f.slot());
      launch(f.executor(), is_serial(executor), std::move(thread));
    }

    const bool elsewhere = !f.runs_in(executor);
    std::exception_ptr cancelled;
    try {
      auto ended = wait_for_end<Clock>(mine.to(), elsewhere, patience);
      co_await std::move(ended);
    } catch (...) {
      cancelled = std::current_exception();
    }
    if (cancelled && !mine.over()) {
      if (!mine.leave()) std::rethrow_exception(cancelled);
      f.cancel();
      const bool throws = co_await asio::this_coro::throw_if_cancelled();
      co_await asio::this_coro::throw_if_cancelled(false);
      auto ended = uncancelled(wait_for_end<Clock>(mine.to(), elsewhere, patience));
      co_await std::move(ended);
      co_await asio::this_coro::throw_if_cancelled(throws);
    }
    if (!mine.over()) {  // its event loop stands still
      mine.close();
      if (cancelled) std::rethrow_exception(cancelled);
      continue;
    }
    if (!f.result.empty()) co_return f.copy();
    // It went with its event loop. Whose operation it was has nothing left to run.
    if (cancelled) std::rethrow_exception(cancelled);
    if (mine.first()) throw boost::system::system_error(asio::error::operation_aborted);
  }
}

}  // namespace dspu::aio::detail
