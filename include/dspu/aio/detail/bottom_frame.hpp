// What Asio keeps for a whole thread of execution of coroutines, in the frame at its bottom: the executor, the cancellation
// state, and whether a cancellation is thrown. Those who change it for a stretch of a coroutine reach it here.
//
// These are names of Asio's implementation. Another release of Boost that changes them does not compile this file.
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
  static any_io_executor& executor(frame& f) { return f.u_.executor_; }
  static awaitable_frame_base<any_io_executor>* top(frame& f) { return f.top_of_stack_; }
};

namespace dspu::aio::detail {

using frame_base = asio::detail::awaitable_frame_base<asio::any_io_executor>;
using coroutine_thread = asio::detail::awaitable_thread<asio::any_io_executor>;
using bottom_frame = asio::detail::awaitable_handler_base<bottom_frame_access, void>;

// The thread of execution that runs a frame, which is the top one.
struct running_thread : frame_base {
  static coroutine_thread& of(frame_base& f) { return *(f.*(&running_thread::attached_thread_)); }
};

}  // namespace dspu::aio::detail
