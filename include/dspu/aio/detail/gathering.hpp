// The workers of a gather: `limit` of them, each of which takes the next operation of the input when its own has ended.
#pragma once

#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/aio/result.hpp"
#include "dspu/core/check.hpp"

#include <boost/asio/error.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio::detail {

// A started operation's place in the input, and the operation.
template <class T>
struct gather_job {
  std::size_t index = 0;
  awaitable<T> op{};
};

// Says which outcomes end it all, and what is kept.
template <class T>
class gather_values {
 public:
  using value_type = typename result_slot<T>::stored_type;
  using result_type = std::conditional_t<std::is_void_v<T>, void, std::vector<value_type>>;
  static constexpr bool stops_at_errors = true;

  void put(std::size_t index, result_slot<T>& r) {
    if constexpr (!std::is_void_v<T>) {
      if (values_.size() <= index) values_.resize(index + 1);
      values_[index].emplace(std::move(r.value()));
    }
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
  std::vector<std::optional<value_type>> values_;
};

template <class T>
class gather_results {
 public:
  using result_type = std::vector<result<T>>;
  static constexpr bool stops_at_errors = false;

  void put(std::size_t index, result_slot<T>& r) {
    if (results_.size() <= index) results_.resize(index + 1);
    auto& place = results_[index];
    if (!r.has_value()) {
      place.emplace(boost::system::in_place_error, r.error());
    } else if constexpr (std::is_void_v<T>) {
      place.emplace(boost::system::in_place_value);
    } else {
      place.emplace(boost::system::in_place_value, std::move(r.value()));
    }
  }
  result_type take() {
    result_type out;
    out.reserve(results_.size());
    for (auto& r : results_) out.push_back(std::move(*r));
    return out;
  }

 private:
  std::vector<std::optional<result<T>>> results_;
};

// What the workers of one gather share. The lock is taken only where they can meet.
template <class T, class Source, class Sink>
class gathering {
 public:
  gathering(family& f, Source& source, Sink& sink) : family_(f), source_(source), sink_(sink) {}

  // The first operations, one for each worker.
  bool next(gather_job<T>& job) {
    const auto lock = lock_if_shared();
    return take(job);
  }

  // Keeps or reports what an operation ended with, and takes the next, if there is one and nothing has stopped us.
  // `cancelled`: whether the worker is.
  bool settle_and_take(gather_job<T>& job, result_slot<T>& r, bool cancelled) {
    std::unique_lock lock = lock_if_shared();
    const bool failed = !r.has_value() && Sink::stops_at_errors;
    if (!failed) {
      sink_.put(job.index, r);
      ++kept_;
    }
    const bool first = failed && !stopped_;
    if (failed) stop(r.error());
    if (cancelled) stopped_ = true;
    const bool more = take(job);
    if (first) {
      if (lock) lock.unlock();
      family_.cancel_all(asio::cancellation_type::terminal);
    }
    return more;
  }

  // After all have ended.
  void rethrow_if_incomplete() const {
    if (error_) std::rethrow_exception(error_);
    const bool all_taken = exhausted_ || source_.finished();
    if (!all_taken || kept_ != taken_) throw boost::system::system_error(asio::error::operation_aborted);
  }

 private:
  bool take(gather_job<T>& job) {
    if (stopped_ || exhausted_) return false;
    const awaitable<T> never_begun(std::move(job.op));  // by whom it was cancelled; Asio's assignment would leak it
    try {
      if (auto op = source_.next()) {
        job.index = taken_++;
        job.op = std::move(*op);
        return true;
      }
      exhausted_ = true;
    } catch (...) {
      stop(std::current_exception());
    }
    return false;
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
  for (;;) {
    result_slot<T> r;
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
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    const bool cancelled = cancellation.cancelled() != asio::cancellation_type::none;
    if (!all.settle_and_take(job, r, cancelled)) co_return;
  }
}

// Runs what `source` gives, `limit` at a time.
template <class T, class Sink, class Source>
awaitable<typename Sink::result_type> gather_all(Source source, std::int64_t limit) {
  core::require(limit >= 1, "gather.limit", limit, "at least 1");
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await asio::this_coro::executor;

  struct worker {
    explicit worker(family& f) : thread(f) {}
    child thread;
    result_slot<void> ended;
  };
  Sink sink;
  family f(executor);
  gathering<T, Source, Sink> all(f, source, sink);
  std::deque<worker> workers;
  for (std::int64_t i = 0; i < limit; ++i) {
    gather_job<T> job;
    if (!all.next(job)) break;
    auto& w = workers.emplace_back(f);
    auto body = gather_worker(all, std::move(job));
    w.thread.start(std::move(body), w.ended);
  }
  if (!f.all_ended()) {
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    auto joined = f.join(cancellation.cancelled());
    co_await std::move(joined);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  all.rethrow_if_incomplete();
  co_return sink.take();
}

}  // namespace dspu::aio::detail
