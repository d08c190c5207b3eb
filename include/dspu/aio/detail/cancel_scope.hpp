// A stretch of a coroutine that can be cancelled by itself, without a thread of execution of its own.
//
//   cancel_scope scope;
//   co_await scope.open();              // from here on, what is awaited is cancelled by scope.cancel()
//   …                                   // and, as always, by the caller's cancellation
//   scope.close();
//
// Asio gives a coroutine one cancellation state, in its bottom frame; while the scope is open, that holds another. Between
// open() and close() the coroutine must not be anywhere but in the operation awaited, and cancel() must be called on its
// executor, which must be serial (detail/serial.hpp).
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace dspu::aio::detail {

struct bottom_frame_access;

}  // namespace dspu::aio::detail

// The bottom frame lets specialisations of this class template at its members.
template <>
class boost::asio::detail::awaitable_handler_base<dspu::aio::detail::bottom_frame_access, void> {
 public:
  using frame = awaitable_frame<awaitable_thread_entry_point, any_io_executor>;
  static cancellation_slot& parent_slot(frame& f) { return f.parent_cancellation_slot_; }
  static cancellation_state& state(frame& f) { return f.cancellation_state_; }
  static bool& throws(frame& f) { return f.throw_if_cancelled_; }
  static bool& switched(frame& f) { return f.has_context_switched_; }
};

namespace dspu::aio::detail {

class cancel_scope {
 public:
  cancel_scope() = default;
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;

  // To be awaited. Does not go through the event loop.
  auto open() { return opening{this}; }
  void close();
  void cancel(asio::cancellation_type_t type) { signal_.emit(type); }

 private:
  using access = asio::detail::awaitable_handler_base<bottom_frame_access, void>;
  using frame_base = asio::detail::awaitable_frame_base<asio::any_io_executor>;
  using thread = asio::detail::awaitable_thread<asio::any_io_executor>;

  struct opening {
    cancel_scope* self;
    thread* operator()(frame_base* frame) const;
  };
  struct forward {
    cancel_scope* self;
    void operator()(asio::cancellation_type_t type) const { self->signal_.emit(type); }
  };
  void enter(access::frame& bottom);

  access::frame* bottom_ = nullptr;
  asio::cancellation_signal signal_;
  asio::cancellation_slot outer_parent_;
  asio::cancellation_state outer_;
  bool outer_throws_ = true;
};

}  // namespace dspu::aio::detail
