// The workers of a gather: `limit` of them, each of which takes the next operation of the input when its own has ended.
#pragma once

#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/giving_way.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/aio/result.hpp"
#include "dspu/core/check.hpp"

#include <boost/asio/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio::detail {

// An operation's place in the input, and the operation; or the error of the call that was to give it.
template <class T>
struct gather_job {
  std::size_t index = 0;
  awaitable<T> op{};
  std::exception_ptr error{};

  // Takes the next of the source. False at its end. Throws: what the input itself throws.
  template <class Source>
  bool take(Source& source, std::size_t& taken) {
    const awaitable<T> never_begun(std::move(op));  // by whom it was cancelled; Asio's assignment would leak it
    if (!source.next(op, error)) return false;
    index = taken++;
    return true;
  }
};

// A value that cannot be moved is an error.
template <class T>
result<T> to_result(result_slot<T>& slot) {
  if (!slot.has_value()) return result<T>(boost::system::in_place_error, slot.error());
  if constexpr (std::is_void_v<T>) {
    return result<T>(boost::system::in_place_value);
  } else {
    try {
      return result<T>(boost::system::in_place_value, std::move(slot.value()));
    } catch (...) {
      return result<T>(boost::system::in_place_error, std::current_exception());
    }
  }
}

// By index, as they come. Where moving a value may throw, growing moves none.
template <class V>
using gathered = std::conditional_t<std::is_nothrow_move_constructible_v<V>, std::vector<std::optional<V>>,
                                    std::deque<std::optional<V>>>;

// A sink keeps what operations end with. put() gives the error that ends it all, or null.
template <class T>
class gather_values {
 public:
  using value_type = typename result_slot<T>::stored_type;
  using result_type = std::conditional_t<std::is_void_v<T>, void, std::vector<value_type>>;

  std::exception_ptr put(std::size_t index, result_slot<T>& r) {
    if (!r.has_value()) return r.error();
    if constexpr (!std::is_void_v<T>) {
      if (values_.size() <= index) values_.resize(index + 1);
      values_[index].emplace(std::move(r.value()));
    }
    return nullptr;
  }
  result_type take() {
    if constexpr (!std::is_void_v<T>) {
      std::vector<value_type> out;
      out.reserve(values_.size());
      for (auto& v : values_) out.push_back(std::move(*v));
      return out;
    }
  }

 private:
  gathered<value_type> values_;
};

template <class T>
class gather_results {
 public:
  using result_type = std::vector<result<T>>;

  std::exception_ptr put(std::size_t index, result_slot<T>& r) {
    if (results_.size() <= index) results_.resize(index + 1);
    auto& place = results_[index];
    try {
      place.emplace(to_result(r));
    } catch (...) {  // it is moved once more
      place.emplace(boost::system::in_place_error, std::current_exception());
    }
    return nullptr;
  }
  result_type take() {
    result_type out;
    out.reserve(results_.size());
    for (auto& r : results_) {
      try {
        out.push_back(std::move(*r));
      } catch (...) {
        out.emplace_back(boost::system::in_place_error, std::current_exception());
      }
    }
    return out;
  }

 private:
  gathered<result<T>> results_;
};

// What the workers of one gather share. The lock is taken only where they can meet.
template <class T, class Source, class Sink>
class gathering {
 public:
  gathering(family& f, Source& source, Sink& sink) : family_(f), source_(source), sink_(sink) {}

  // The next operation. False if there is none, or nothing more is to be started.
  bool next(gather_job<T>& job) {
    const auto lock = lock_if_shared();
    return take(job);
  }

  // Keeps or reports what an operation ended with, and takes the next, if there is one and nothing has stopped us.
  // `cancelled`: whether the worker is.
  bool settle_and_take(gather_job<T>& job, result_slot<T>& r, bool cancelled) {
    std::unique_lock lock = lock_if_shared();
    const auto failure = put(job, r);
    if (failure && !stopped_) {
      stop(failure);
      if (lock) lock.unlock();
      family_.cancel_all(asio::cancellation_type::terminal);
      return false;
    }
    if (cancelled) stopped_ = true;
    return take(job);
  }

  // A worker could not be started.
  void fail(std::exception_ptr e) {
    {
      const auto lock = lock_if_shared();
      stop(std::move(e));
    }
    family_.cancel_all(asio::cancellation_type::terminal);
  }
  // A worker is cancelled between two operations.
  void cancel() {
    const auto lock = lock_if_shared();
    stopped_ = true;
  }

  // After all have ended.
  void rethrow_if_incomplete() const {
    family_.rethrow_failure();
    if (error_) std::rethrow_exception(error_);
    const bool all_taken = exhausted_ || source_.finished();
    if (!all_taken || kept_ != taken_) throw boost::system::system_error(asio::error::operation_aborted);
  }

 private:
  bool take(gather_job<T>& job) {
    if (stopped_ || exhausted_) return false;
    try {
      exhausted_ = !job.take(source_, taken_);
    } catch (...) {
      stop(std::current_exception());
    }
    return !stopped_ && !exhausted_;
  }

  // The error that ends it all, or null; a value that cannot be kept is one.
  std::exception_ptr put(const gather_job<T>& job, result_slot<T>& r) {
    try {
      if (auto failure = sink_.put(job.index, r)) return failure;
    } catch (...) {
      return std::current_exception();
    }
    ++kept_;
    return nullptr;
  }

  std::unique_lock<std::mutex> lock_if_shared() {
    return family_.serial() ? std::unique_lock<std::mutex>() : std::unique_lock(mutex_);
  }
  void stop(std::exception_ptr e) {
    stopped_ = true;
    if (!error_) error_ = std::move(e);
  }

  family& family_;
  Source& source_;
  Sink& sink_;
  std::mutex mutex_;
  std::size_t taken_ = 0;
  std::size_t kept_ = 0;
  bool stopped_ = false;
  bool exhausted_ = false;
  std::exception_ptr error_;
};

template <class T, class Source, class Sink>
awaitable<void> gather_worker(gathering<T, Source, Sink>& all, gather_job<T> job) {
  giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{});
  for (;;) {
    result_slot<T> r;
    if (job.error) {
      r.fail(std::exchange(job.error, nullptr));
    } else {
      try {
        if constexpr (std::is_void_v<T>) {
          co_await std::move(job.op);
          r.emplace();
        } else {
          r.emplace(co_await std::move(job.op));
        }
      } catch (...) {
        r.fail(std::current_exception());
      }
    }
    auto cancellation = co_await asio::this_coro::cancellation_state;
    if (!all.settle_and_take(job, r, cancellation.cancelled() != asio::cancellation_type::none)) co_return;
    if (!way.due()) continue;
    auto given = way.give();
    co_await given;
    cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      all.cancel();
      co_return;
    }
  }
}

// Runs what `source` gives, `limit` at a time.
template <class T, class Sink, class Source>
awaitable<typename Sink::result_type> gather_all(Source source, std::int64_t limit) {
  core::require(limit >= 1, "gather.limit", limit, "at least 1");
  const auto executor = co_await asio::this_coro::executor;

  struct worker {
    explicit worker(family& f) : thread(f) {}
    child thread;
    result_slot<void> ended;
  };
  Sink sink;
  family f(executor);
  gathering<T, Source, Sink> all(f, source, sink);
  std::list<worker> workers;
  giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{});
  try {
    for (std::int64_t i = 0; i < limit; ++i) {
      if (giving_way::is_turn(i)) {
        auto given = way.give();
        co_await given;
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) break;
      }
      gather_job<T> job;
      if (!all.next(job)) break;
      auto& w = workers.emplace_back(f);
      auto body = gather_worker(all, std::move(job));
      w.thread.start(std::move(body), w.ended);
    }
  } catch (...) {
    all.fail(std::current_exception());
  }
  if (!f.all_ended()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    auto joined = f.join(cancellation.cancelled());
    co_await joined;
  }
  all.rethrow_if_incomplete();
  co_return sink.take();
}

}  // namespace dspu::aio::detail
