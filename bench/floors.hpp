// The floors: what a careful programmer writes by hand for one case, on bare atomics and bare Boost.Asio.
#pragma once

#include "support.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <time.h>
#include <x86intrin.h>

namespace dspu::bench::floors {

using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

inline std::int64_t steady_ns() { return steady::now().time_since_epoch().count(); }
inline std::int64_t tsc() { return static_cast<std::int64_t>(__rdtsc()); }
inline std::int64_t coarse_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

// A token bucket on one word: a clock reading and a compare-and-swap.
template <std::int64_t (*Now)()>
class bucket {
 public:
  bucket(std::int64_t increment, std::int64_t burst) : increment_(increment), burst_(burst) {}
  bool try_acquire() {
    const auto now = Now();
    auto t = time_.load(std::memory_order_relaxed);
    for (;;) {
      const auto next = std::max(t, now - burst_) + increment_;
      if (next > now) return false;
      if (time_.compare_exchange_weak(t, next, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
    }
  }

 private:
  std::atomic<std::int64_t> time_{0};
  const std::int64_t increment_;
  const std::int64_t burst_;
};

[[gnu::noinline]] inline awaitable<void> ready() { co_return; }
[[gnu::noinline]] inline awaitable<void> yield_once() { co_await asio::post(use_awaitable); }

// One wrapping frame around a try.
template <class Bucket>
awaitable<void> acquire(Bucket& b) {
  if (b.try_acquire()) co_return;
  throw std::runtime_error("a floor's bucket ran dry");
}

struct breaker {
  std::atomic<int> state{0};
  std::atomic<int> failures{0};
  std::atomic<std::int64_t> open_until{0};

  bool allows() const {
    return state.load(std::memory_order_acquire) == 0 || steady_ns() >= open_until.load(std::memory_order_relaxed);
  }
  void succeeded() {
    if (failures.load(std::memory_order_relaxed) != 0) failures.store(0, std::memory_order_relaxed);
  }
  template <class F>
  awaitable<void> call(F fn) {
    if (!allows()) throw std::runtime_error("open");
    co_await fn();
    succeeded();
  }
};

template <class F>
awaitable<void> try_loop(F fn, int attempts) {
  for (int i = 1;; ++i) {
    std::exception_ptr error;
    try {
      co_await fn();
      co_return;
    } catch (...) {
      error = std::current_exception();
    }
    if (i >= attempts) std::rethrow_exception(error);
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds{1});
    co_await timer.async_wait(use_awaitable);
  }
}

// All five by hand, in one frame: the deadline's clock reading and list link, a try-loop, two loads, a CAS.
struct deadline_node {
  deadline_node* previous;
  deadline_node* next;
  std::int64_t at;
};
class deadline_list {
 public:
  void push(deadline_node& d, std::int64_t at) {
    d = {head_.previous, &head_, at};
    d.previous->next = &d;
    head_.previous = &d;
    forget_what_is_known();
  }
  static void remove(deadline_node& d) {
    d.previous->next = d.next;
    d.next->previous = d.previous;
    forget_what_is_known();
  }

 private:
  deadline_node head_{&head_, &head_, 0};
};

template <class Bucket, class F>
awaitable<void> all_five(deadline_list& deadlines, breaker& b, Bucket& bucket, F fn, int attempts) {
  deadline_node d;
  deadlines.push(d, steady_ns() + 1'000'000'000);
  for (int i = 1;; ++i) {
    std::exception_ptr error;
    try {
      if (!b.allows() || !bucket.try_acquire()) throw std::runtime_error("refused");
      co_await fn();
      b.succeeded();
      deadline_list::remove(d);
      co_return;
    } catch (...) {
      error = std::current_exception();
    }
    if (i >= attempts) std::rethrow_exception(error);
  }
}

// Workers that pull from one index.
template <class F>
awaitable<void> worker(std::int64_t& next, std::int64_t n, F fn) {
  while (next < n) {
    ++next;
    co_await fn();
  }
}

// Runs fn on a pool and completes on the handler's own executor.
template <class Pool, class F, class Token>
auto offload(Pool pool, F fn, Token&& token) {
  return asio::async_initiate<Token, void(int)>(
      [](auto handler, Pool p, F f) {
        auto work = asio::make_work_guard(asio::get_associated_executor(handler));
        asio::post(p, [h = std::move(handler), w = std::move(work), f]() mutable {
          const int r = f();
          const auto ex = w.get_executor();
          asio::post(ex, [h = std::move(h), r]() mutable { std::move(h)(r); });
        });
      },
      token, pool, fn);
}

}  // namespace dspu::bench::floors
