// How this library suspends a coroutine, so that nothing is lost where there is no memory.
//
// Awaiting an operation of Asio 1.81 hands the coroutine over to it before it has begun. If it cannot begin, the coroutine is
// destroyed, and the error goes to the event loop. Here the coroutine is handed over last; what fails before that comes out
// of its await.
#pragma once

#include "dspu/aio/detail/bottom_frame.hpp"
#include "dspu/aio/detail/posted.hpp"

#include <exception>
#include <optional>
#include <utility>

namespace dspu::aio::detail {

// A coroutine that is suspended until somebody resumes it. Used inside of what the coroutine awaits: a function object
// `coroutine_thread* (frame_base*)` that is called once it is suspended, and that leaves it alone to let it go on.
class parked {
 public:
  parked() = default;
  parked(const parked&) = delete;
  parked& operator=(const parked&) = delete;

  explicit operator bool() const { return thread_.has_value(); }

  // From now on others may resume it.
  void park(frame_base& f);
  // Takes it back: it goes on once what it awaits has returned. Requires: nobody else resumes it.
  void unpark();

  // While it is parked: its executor, and the slot by which it is cancelled.
  asio::any_io_executor executor() const noexcept { return thread_->get_executor(); }
  asio::cancellation_slot slot() const noexcept { return thread_->get_cancellation_slot(); }

  // Each at most once, by whoever has the right to. The last thing done: this may be destroyed in it.
  void resume();
  void destroy() noexcept;

 private:
  using handler = asio::detail::awaitable_async_op_handler<void(), asio::any_io_executor>;

  frame_base* frame_ = nullptr;
  coroutine_thread* pump_ = nullptr;  // who runs it, as long as park() may be undone
  bool switched_ = false;
  std::optional<handler> thread_;
};

// Awaits an operation of Asio's that completes with an error_code:
//
//   operation_wait wait;
//   auto begun = wait.on([&](auto handler) { timer.async_wait(std::move(handler)); });
//   co_await begun;
//   const error_code ec = wait.take();   // throws what the operation threw when it was to begin
//
// The handler has the coroutine's executor and cancellation slot.
class operation_wait {
 public:
  operation_wait() = default;

    template <class Begin>
  auto on(Begin begin) {
    return [this, begin = std::move(begin)](frame_base* f) mutable -> coroutine_thread* {
      parked_.park(*f);
      const offer made(this);
      try {
        begin(handler(*this));
      } catch (...) {
        failure_ = std::current_exception();
        parked_.unpark();
      }
      return nullptr;
    };
  }

  // Requires: it was awaited.
  error_code take() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    return ec_;
  }

  class handler {
   public:
    using executor_type = asio::any_io_executor;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit handler(operation_wait& w) : wait_(&w) {}
    handler(handler&& other) noexcept : wait_(std::exchange(other.wait_, nullptr)) {}
    handler& operator=(handler&&) = delete;
    ~handler() {
      if (wait_ != nullptr && !offer::made_of(wait_)) wait_->parked_.destroy();
    }
    void operator()(error_code ec = {}) {
      auto& wait = *std::exchange(wait_, nullptr);
      wait.ec_ = ec;
      wait.parked_.resume();
    }
    executor_type get_executor() const noexcept { return wait_->parked_.executor(); }
    cancellation_slot_type get_cancellation_slot() const noexcept { return wait_->parked_.slot(); }

   private:
    operation_wait* wait_;
  };

 private:
  parked parked_;
  error_code ec_;
  std::exception_ptr failure_;
};

}  // namespace dspu::aio::detail
