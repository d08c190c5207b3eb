// Waiting for a rate by hand: what a rate limiter's line is measured against.
#pragma once

#include "floors.hpp"

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/async_result.hpp>

#include <algorithm>
#include <memory>

namespace dspu::bench::floors {

// A FIFO list of suspended handlers and one timer, which wakes at least `apart` ns after the last time and releases all
// who are due. A waiter's turn is fixed when it comes.
class line {
 public:
  line(asio::io_context& context, double rate, double burst, std::int64_t apart = 100'000)
      : timer_(context),
        increment_(static_cast<std::int64_t>(1e9 / rate)),
        burst_(static_cast<std::int64_t>(burst) * increment_),
        apart_(apart),
        time_(steady_ns() - burst_) {}

 private:
  struct waiter {
    waiter* next = nullptr;
    void (*resume)(waiter*) = nullptr;
  };
  template <class Handler>
  struct waiter_of : waiter {
    using allocator = typename std::allocator_traits<asio::associated_allocator_t<Handler>>::template rebind_alloc<waiter_of>;
    explicit waiter_of(Handler&& h) : handler(std::move(h)) {
      resume = [](waiter* w) {
        auto* const self = static_cast<waiter_of*>(w);
        Handler h2(std::move(self->handler));
        allocator memory(asio::get_associated_allocator(h2));
        std::destroy_at(self);
        memory.deallocate(self, 1);
        std::move(h2)();
      };
    }
    Handler handler;
  };

  bool try_now() {
    if (head_ != nullptr) return false;
    const auto now = steady_ns();
    const auto next = std::max(time_, now - burst_) + increment_;
    if (next > now) return false;
    time_ = next;
    return true;
  }

  template <class Token>
  auto enqueue(Token&& token) {
    return asio::async_initiate<Token, void()>(
        [this](auto handler) {
          using type = waiter_of<decltype(handler)>;
          typename type::allocator memory(asio::get_associated_allocator(handler));
          auto* const w = new (memory.allocate(1)) type(std::move(handler));
          *tail_ = w;
          tail_ = &w->next;
          if (!armed_) arm(time_ + increment_);
        },
        token);
  }

 public:
  awaitable<void> acquire() {
    if (!try_now()) co_await enqueue(asio::use_awaitable);
  }

 private:
  void arm(std::int64_t at) {
    armed_ = true;
    timer_.expires_at(steady::time_point(std::chrono::nanoseconds(at)));
    timer_.async_wait([this](error_code ec) {
      armed_ = false;
      if (!ec) release();
    });
  }

  void release() {
    const auto now = steady_ns();
    while (head_ != nullptr) {
      if (time_ + increment_ > now) return arm(std::max(time_ + increment_, now + apart_));
      time_ += increment_;
      auto* const w = head_;
      head_ = w->next;
      if (head_ == nullptr) tail_ = &head_;
      w->resume(w);
    }
  }

  asio::steady_timer timer_;
  const std::int64_t increment_;
  const std::int64_t burst_;
  const std::int64_t apart_;
  std::int64_t time_;
  waiter* head_ = nullptr;
  waiter** tail_ = &head_;
  bool armed_ = false;
};

// Everyone reserves a slot and sleeps on a timer of its own.
class timer_each {
 public:
  timer_each(asio::io_context& context, double rate, double burst)
      : context_(context),
        increment_(static_cast<std::int64_t>(1e9 / rate)),
        burst_(static_cast<std::int64_t>(burst) * increment_),
        time_(steady_ns() - burst_) {}

  awaitable<void> acquire() {
    const auto now = steady_ns();
    time_ = std::max(time_, now - burst_) + increment_;
    if (time_ <= now) co_return;
    asio::steady_timer timer(context_, steady::time_point(std::chrono::nanoseconds(time_)));
    co_await timer.async_wait(use_awaitable);
  }

 private:
  asio::io_context& context_;
  const std::int64_t increment_;
  const std::int64_t burst_;
  std::int64_t time_;
};

}  // namespace dspu::bench::floors
