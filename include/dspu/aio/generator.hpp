// generator<T>: a coroutine that yields values and awaits in between.
//
//   generator<page> pages(client& c) {
//     for (int n = 1;; ++n) {
//       page p = co_await c.fetch(n);
//       if (p.empty()) co_return;
//       co_yield std::move(p);
//     }
//   }
//   while (auto p = co_await gen.next()) use(*p);
//
// It runs when, and where, its consumer awaits next(): as if its body were part of the consumer. So it awaits on the
// consumer's executor, and the consumer's cancellation reaches what it awaits. An error leaves next() once; after that,
// as after the end, next() gives nothing.
//
// Thread-safety: one consumer at a time, on any executor; it may move between threads from one next() to another.
// Destroying a generator unwinds it where it stands: between two next(), or together with the consumer that awaits one.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/giving_way.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <coroutine>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace dspu::aio {

template <class T>
class generator;

namespace detail {

template <class T>
struct generator_tag {};

// The generator's frame. What awaits an Asio awaitable must be a frame of this template, hence the specialization.
template <class T>
using generator_frame = asio::detail::awaitable_frame<generator_tag<T>, asio::any_io_executor>;

}  // namespace detail

template <class T>
class [[nodiscard]] generator {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a generator yields objects, by value");

 public:
  using value_type = T;
  using promise_type = detail::generator_frame<T>;

  generator() = default;
  generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    generator(std::move(other)).swap(*this);
    return *this;
  }
  ~generator() {
    if (frame_ != nullptr) frame_->destroy();
  }
  void swap(generator& other) noexcept { std::swap(frame_, other.frame_); }

  // Returns: the next value, or nothing at the end.
  // Throws: what the body throws; std::logic_error while another next() is under way.
  // Suspends: as the body does. On cancel: what the body awaits is cancelled.
  awaitable<std::optional<T>> next() { return resume(frame_); }

 private:
  friend promise_type;
  using frame_base = asio::detail::awaitable_frame_base<asio::any_io_executor>;

  explicit generator(promise_type* frame) : frame_(frame) {}

  // Puts the generator's frame on top of the consumer's.
  struct enter {
    promise_type* frame;
    asio::detail::awaitable_thread<asio::any_io_executor>* operator()(frame_base* consumer) const {
      frame->push_frame(consumer);
      return nullptr;
    }
  };

  static awaitable<std::optional<T>> resume(promise_type* frame) {
    std::optional<T> value;
    if (frame == nullptr || frame->ended()) co_return value;
    frame->begin(&value);
    const enter go{frame};
    co_await go;
    frame->finish();
    detail::giving_way way(co_await asio::detail::awaitable_thread_has_context_switched{}, frame->ready_in_a_row());
    if (way.due()) {
      auto given = way.give();
      co_await given;
    }
    co_return value;
  }

  promise_type* frame_ = nullptr;
};

}  // namespace dspu::aio

template <class T>
class boost::asio::detail::awaitable_frame<dspu::aio::detail::generator_tag<T>, boost::asio::any_io_executor>
    : public awaitable_frame_base<any_io_executor> {
 public:
  dspu::aio::generator<T> get_return_object() {
    this->coro_ = std::coroutine_handle<awaitable_frame>::from_promise(*this);
    return dspu::aio::generator<T>(this);
  }

  // The value goes straight to the consumer, whose frame comes to the top again.
  template <class U>
    requires std::constructible_from<T, U>
  auto yield_value(U&& value) {
    value_->emplace(std::forward<U>(value));
    return leave{this};
  }
  void return_void() {}

  bool ended() const { return this->coro_.done(); }

  void begin(std::optional<T>* value) {
    if (value_ != nullptr) throw std::logic_error("generator: next() called while another next() is under way");
    value_ = value;
  }
  // Throws: what the body threw.
  void finish() {
    value_ = nullptr;
    this->rethrow_exception();
  }
  int& ready_in_a_row() { return ready_in_a_row_; }

 private:
  struct leave {
    awaitable_frame* frame;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept { frame->pop_frame(); }
    void await_resume() const noexcept {}
  };

  std::optional<T>* value_ = nullptr;
  int ready_in_a_row_ = 0;
};
