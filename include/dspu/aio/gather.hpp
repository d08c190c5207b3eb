// gather_with_limit, map_with_limit: many operations, so many at a time, their results in input order.
//
//   auto [user, cart] = co_await gather_with_limit({.limit = 2}, load_user(id), load_cart(id));
//   std::vector<page> pages = co_await gather_with_limit(std::move(fetches), {.limit = 10});
//   std::vector<page> pages = co_await map_with_limit(urls, fetch, {.limit = 10});
//
// At the first error, first in time, nothing more is started, what runs is cancelled and awaited, and that error is
// thrown; what the others then end with is dropped. With `return_exceptions` nothing is cancelled, and every slot is a
// result<T>: its value or its error.
//
// Input is read lazily: `limit` workers pull from it, so that a range of ten million costs the memory of `limit`
// operations and of the results. Throws: std::invalid_argument if limit < 1.
// Suspends: until all have ended. On cancel: nothing more is started, what runs is cancelled and awaited, and unless
// all had finished, operation_aborted (or the first error) is thrown.
// Thread-safety: on an executor with several threads the operations run in parallel, each on a strand of its own; the
// input range and `fn` are then used from several threads, but by one at a time.
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
#include <iterator>
#include <mutex>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio {

struct gather_options {
  // How many run at once. At least 1.
  std::int64_t limit = 1;
};

struct return_exceptions_t {
  explicit return_exceptions_t() = default;
};
// Asks for every outcome as a result<T> instead of throwing the first error.
inline constexpr return_exceptions_t return_exceptions{};

namespace detail {

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
    if (cancellation.cancelled() != asio::cancellation_type::none) f.cancel_all(cancellation.cancelled());
    auto joined = f.join();
    co_await std::move(joined);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  all.rethrow_if_incomplete();
  co_return sink.take();
}

template <class T>
struct is_awaitable : std::false_type {};
template <class T>
struct is_awaitable<awaitable<T>> : std::true_type {};

// What starting an element of the input gives: elements are awaitables, or callables that return one.
template <class Element>
struct started {};
template <async_callable Element>
struct started<Element> {
  using type = awaited_t<Element>;
};
template <class T>
struct started<awaitable<T>> {
  using type = T;
};
template <class Element>
using started_t = typename started<std::remove_cvref_t<Element>>::type;

template <class Element>
awaitable<started_t<Element>> start_element(Element&& e) {
  if constexpr (is_awaitable<std::remove_cvref_t<Element>>::value) {
    return std::move(e);
  } else {
    return std::forward<Element>(e)();
  }
}

// Reads a range one element at a time and applies `fn`.
template <class View, class F>
class range_source {
 public:
  using op_type = std::invoke_result_t<F&, std::ranges::range_reference_t<View>>;

  range_source(View view, F fn) : view_(std::move(view)), fn_(std::move(fn)) {}
  // Before the first next(); an iterator into a moved view would dangle.
  range_source(range_source&&) = default;

  std::optional<op_type> next() {
    if (!position_) {
      position_.emplace(std::ranges::begin(view_));
    } else {
      ++*position_;
    }
    if (*position_ == std::ranges::end(view_)) return std::nullopt;
    return std::invoke(fn_, **position_);
  }

  // Whether the element given last is known to be the last, without reading on.
  bool finished() {
    if constexpr (std::ranges::forward_range<View>) {
      return position_ && std::ranges::next(*position_) == std::ranges::end(view_);
    } else {
      return false;
    }
  }

 private:
  View view_;
  F fn_;
  std::optional<std::ranges::iterator_t<View>> position_;
};

struct start_each {
  template <class Element>
  auto operator()(Element&& e) const {
    return start_element(std::forward<Element>(e));
  }
};

template <class R>
using range_started_t = started_t<std::ranges::range_reference_t<R>>;

// An lvalue range of awaitables would be emptied behind its owner's back.
template <class R>
concept gatherable = std::ranges::input_range<R> && requires { typename range_started_t<R>; } &&
                     (!std::is_lvalue_reference_v<R> || std::ranges::view<std::remove_cvref_t<R>> ||
                      !is_awaitable<std::ranges::range_value_t<R>>::value);

template <class Sink, class R, class F>
auto gather_range(R&& range, F fn, std::int64_t limit) {
  using view = std::views::all_t<R>;
  using source = range_source<view, F>;
  using value_type = typename awaited<typename source::op_type>::type;
  return gather_all<value_type, typename Sink::template of<value_type>>(
      source(std::views::all(std::forward<R>(range)), std::move(fn)), limit);
}

struct values_sink {
  template <class T>
  using of = gather_values<T>;
};
struct results_sink {
  template <class T>
  using of = gather_results<T>;
};

// The variadic form: every operation writes to a slot of its own type.
template <class Element>
awaitable<void> run_into(Element e, result_slot<started_t<Element>>& slot) {
  using T = started_t<Element>;
  auto op = start_element(std::move(e));
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(op);
      slot.emplace();
    } else {
      slot.emplace(co_await std::move(op));
    }
  } catch (...) {
    slot.fail(std::current_exception());
    throw;
  }
}

template <class T>
result<T> to_result(result_slot<T>& slot) {
  if (!slot.has_value()) return result<T>(boost::system::in_place_error, slot.error());
  if constexpr (std::is_void_v<T>) {
    return result<T>(boost::system::in_place_value);
  } else {
    return result<T>(boost::system::in_place_value, std::move(slot.value()));
  }
}

class vector_source {
 public:
  explicit vector_source(std::vector<awaitable<void>> ops) : ops_(std::move(ops)) {}
  std::optional<awaitable<void>> next() {
    if (position_ == ops_.size()) return std::nullopt;
    return std::move(ops_[position_++]);
  }
  bool finished() const { return position_ == ops_.size(); }

 private:
  std::vector<awaitable<void>> ops_;
  std::size_t position_ = 0;
};

template <class Sink, class Collect, class... Elements>
auto gather_tuple(std::int64_t limit, Collect collect, Elements... elements)
    -> awaitable<decltype(collect(std::declval<result_slot<started_t<Elements>>&>()...))> {
  std::tuple<result_slot<started_t<Elements>>...> slots;
  std::vector<awaitable<void>> ops;
  std::apply([&](auto&... slot) { (ops.push_back(run_into(std::move(elements), slot)), ...); }, slots);
  auto running = gather_all<void, Sink>(vector_source(std::move(ops)), limit);
  co_await std::move(running);
  co_return std::apply(collect, slots);
}

}  // namespace detail

// The operations' results as a tuple; std::monostate stands for void. Each is an awaitable, or a callable without
// arguments that returns one and is called when its turn comes.
template <class... Elements>
  requires(sizeof...(Elements) > 0 && (requires { typename detail::started_t<Elements>; } && ...))
auto gather_with_limit(gather_options options, Elements... elements) {
  const auto values = [](auto&... slots) { return std::make_tuple(std::move(slots.value())...); };
  return detail::gather_tuple<detail::gather_values<void>>(options.limit, values, std::move(elements)...);
}

// The same as a tuple of result<T>.
template <class... Elements>
  requires(sizeof...(Elements) > 0 && (requires { typename detail::started_t<Elements>; } && ...))
auto gather_with_limit(gather_options options, return_exceptions_t, Elements... elements) {
  const auto results = [](auto&... slots) { return std::make_tuple(detail::to_result(slots)...); };
  return detail::gather_tuple<detail::gather_results<void>>(options.limit, results, std::move(elements)...);
}

// Over a range of awaitables (moved in) or of callables: awaitable<std::vector<T>>, awaitable<void> if T is void.
// An lvalue range must outlive the call.
template <detail::gatherable R>
auto gather_with_limit(R&& range, gather_options options) {
  return detail::gather_range<detail::values_sink>(std::forward<R>(range), detail::start_each{}, options.limit);
}

// The same: awaitable<std::vector<result<T>>>.
template <detail::gatherable R>
auto gather_with_limit(R&& range, gather_options options, return_exceptions_t) {
  return detail::gather_range<detail::results_sink>(std::forward<R>(range), detail::start_each{}, options.limit);
}

// fn(element) for each element of the range, called when its turn comes. An lvalue range must outlive the call.
template <std::ranges::input_range R, async_callable<std::ranges::range_reference_t<R>> F>
auto map_with_limit(R&& range, F fn, gather_options options) {
  return detail::gather_range<detail::values_sink>(std::forward<R>(range), std::move(fn), options.limit);
}

template <std::ranges::input_range R, async_callable<std::ranges::range_reference_t<R>> F>
auto map_with_limit(R&& range, F fn, gather_options options, return_exceptions_t) {
  return detail::gather_range<detail::results_sink>(std::forward<R>(range), std::move(fn), options.limit);
}

}  // namespace dspu::aio
