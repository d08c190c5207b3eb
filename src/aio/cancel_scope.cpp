#include "dspu/aio/detail/cancel_scope.hpp"

#include <utility>

namespace dspu::aio::detail {

cancel_scope::thread* cancel_scope::opening::operator()(frame_base* frame) const {
  // The one public way to a frame's thread; it marks the thread as one that has moved, which it has not.
  auto* const t = frame->detach_thread();
  frame->attach_thread(t);
  self->enter(*t->entry_point());
  return nullptr;
}

void cancel_scope::enter(access::frame& bottom) {
  bottom_ = &bottom;
  outer_parent_ = std::exchange(access::parent_slot(bottom), signal_.slot());
  outer_ = access::state(bottom);
  outer_throws_ = std::exchange(access::throws(bottom), true);
  access::state(bottom) =
      asio::cancellation_state(signal_.slot(), asio::enable_total_cancellation(), asio::enable_total_cancellation());
  auto slot = outer_.slot();
  if (slot.is_connected()) slot.emplace<forward>(this);
}

void cancel_scope::close() {
  access::parent_slot(*bottom_) = outer_parent_;
  access::state(*bottom_) = outer_;
  access::throws(*bottom_) = outer_throws_;
  outer_.slot().clear();
}

}  // namespace dspu::aio::detail
