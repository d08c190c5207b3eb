#include "dspu/aio/detail/suspension.hpp"

#include <cassert>

namespace dspu::aio::detail {

namespace {

struct thread_peek : coroutine_thread {
  static auto& bottom_of(coroutine_thread& t) { return t.*(&thread_peek::bottom_of_stack_); }
};

}  // namespace

void parked::park(frame_base& f) {
  assert(!thread_);
  frame_ = &f;
  pump_ = &running_thread::of(f);
  switched_ = bottom_frame::switched(*pump_->entry_point());
  handler::result_type none;
  thread_.emplace(f.detach_thread(), none);
}

void parked::unpark() {
  auto& pump = *pump_;
  thread_peek::bottom_of(pump) = std::move(thread_peek::bottom_of(*thread_));
  thread_.reset();
  frame_->attach_thread(&pump);
  frame_->clear_cancellation_slot();
  bottom_frame::switched(*pump.entry_point()) = switched_;
}

void parked::resume() {
  auto thread = std::move(*thread_);
  thread_.reset();
  thread();
}

void parked::destroy() noexcept {
  auto thread = std::move(*thread_);
  thread_.reset();
}

}  // namespace dspu::aio::detail
