// Awaits an operation, and keeps its hands off the coroutine's cancellation state.
//
//   cancellation_guard guard;
//   auto step = guard.run<T>(op);                 // as a cancel_scope does; T: what the coroutine around gives
//   co_await step;                                // runs op to its end
//   guard.close();
//   … op.await_resume() …
//
// A coroutine has one cancellation state for all of its frames. An operation may replace it
// (this_coro::reset_cancellation_state), for its own cleanup for example, and then nobody can tell any more whether the
// caller had cancelled it; nor could the caller cancel what comes after it. Under a guard the caller's state stays as it is, and
// notes the caller's cancellation: an operation that asks for a state of its own gets one beside it, which the caller's
// cancellation reaches and which ends with the operation. So does a change of this_coro::throw_if_cancelled.
//
// This costs a few stores, and nothing is allocated: until the operation asks for a state, Asio finds in the coroutine's slot
// an empty handler of ours, whose removal tells us that it does.
//
// Between run() and close() the coroutine must be nowhere but in that await.
#pragma once

#include "dspu/aio/detail/bottom_frame.hpp"

#include <coroutine>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

template <class T>
struct guarded;

class cancellation_guard {
 public:
  cancellation_guard() {}  // NOLINT(modernize-use-equals-default): there are unions, and most is set when it is needed
  cancellation_guard(const cancellation_guard&) = delete;
  cancellation_guard& operator=(const cancellation_guard&) = delete;
  [[gnu::always_inline]] ~cancellation_guard() {
    if (in_slot() != nullptr) abandon();
  }

  // To be awaited by name. Suspends: as op does.
  template <class, class T>
  asio::awaitable<guarded<T>> run(awaitable<T>& op, bool = true);
  // Whether the coroutine was cancelled already, so that the last one was not begun: awaiting it threw operation_aborted.
  bool refused() const { return op_ != nullptr && bottom_ == nullptr; }
  [[gnu::always_inline]] void close() {
    bottom_frame::parent_slot(*bottom_) = parent_;
    bottom_frame::throws(*bottom_) = throws_;
    if (in_slot() != &watch_) restore();
    in_slot() = nullptr;
  }

 private:
  template <class, class>
  friend class asio::awaitable;
  struct relay;

  // In our slot until the operation asks for a state.
  struct watch final : asio::detail::cancellation_handler_base {
    explicit watch(cancellation_guard& g) : guard(&g) {}
    void call(asio::cancellation_type_t) override {}
    std::pair<void*, std::size_t> destroy() noexcept override {
      guard->let_replace();
      return {nullptr, 0};
    }
    cancellation_guard* guard;
  };

  [[gnu::always_inline]] void open(bottom_frame::frame& bottom) {
    bottom_ = &bottom;
    in_slot() = &watch_;
    throws_ = bottom_frame::throws(bottom);
    parent_ = std::exchange(bottom_frame::parent_slot(bottom), own_.slot());
  }
  asio::detail::cancellation_handler_base*& in_slot() {
    static_assert(std::is_standard_layout_v<asio::cancellation_signal> &&
                  sizeof(asio::cancellation_signal) == sizeof(asio::detail::cancellation_handler_base*));
    return *reinterpret_cast<asio::detail::cancellation_handler_base**>(&own_);
  }

  // The operation is about to replace the caller's state.
  void let_replace() noexcept;
  void restore();
  void disconnect();
  void abandon();

  watch watch_{*this};
  void* op_ = nullptr;                     // what is to be run; null: the operation could not be made
  bottom_frame::frame* bottom_ = nullptr;  // null: it has not begun
  union {                                  // set as long as it runs
    asio::cancellation_slot parent_;
  };
  union {  // our slot; empty but while it runs
    asio::cancellation_signal own_{};
  };
  union {  // then: the state that it would have replaced
    asio::cancellation_state callers_;
  };
  relay* relay_;  // then: in that state's slot, from where the cancellation goes on to ours
  bool throws_;
};

}  // namespace dspu::aio::detail

// What a coroutine awaits. Asio's coroutines take no other types.
template <class T>
class boost::asio::awaitable<dspu::aio::detail::guarded<T>, boost::asio::any_io_executor> {
 public:
  explicit awaitable(dspu::aio::detail::cancellation_guard& guard) : guard_(&guard) {}

  bool await_ready() const noexcept { return false; }
  template <class U>
  void await_suspend(std::coroutine_handle<detail::awaitable_frame<U, any_io_executor>> h) {
    guard_->open(*dspu::aio::detail::running_thread::of(h.promise()).entry_point());
    static_cast<awaitable<T>*>(guard_->op_)->await_suspend(h);
  }
  void await_resume() const noexcept {}

 private:
  dspu::aio::detail::cancellation_guard* guard_;  // kept small: coroutines hold two of these for each await
};

namespace dspu::aio::detail {

template <class, class T>
asio::awaitable<guarded<T>> cancellation_guard::run(awaitable<T>& op, bool) {
  op_ = &op;
  bottom_ = nullptr;
  return asio::awaitable<guarded<T>>(*this);
}

}  // namespace dspu::aio::detail
