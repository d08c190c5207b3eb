#include "dspu/aio/detail/cancellation_guard.hpp"

namespace dspu::aio::detail {

// Passes the caller's cancellation on to the operation's own state. It is destroyed with the state that it is in, or by the
// guard, whichever is first.
struct cancellation_guard::relay {
  explicit relay(cancellation_guard& g) : guard(&g) { g.relay_ = this; }
  relay(const relay&) = delete;
  relay& operator=(const relay&) = delete;
  ~relay() { guard->relay_ = nullptr; }
  // The operation may end inside, and this with it.
  void operator()(asio::cancellation_type_t type) const { guard->own_.emit(type); }

  cancellation_guard* guard;
};

void cancellation_guard::let_replace() noexcept {
  relay_ = nullptr;
  callers_ = bottom_frame::state(*bottom_);
  auto slot = callers_.slot();
  try {
    if (slot.is_connected()) slot.emplace<relay>(*this);
  } catch (...) {  // without memory the cancellation does not reach the operation; it is noted all the same
  }
}

void cancellation_guard::restore() {
  bottom_frame::state(*bottom_) = callers_;
  disconnect();
  own_.slot().clear();
}

void cancellation_guard::disconnect() {
  if (relay_ != nullptr) callers_.slot().clear();
}

void cancellation_guard::abandon() {
  if (in_slot() == &watch_) return;
  disconnect();
  own_.slot().clear();
}

}  // namespace dspu::aio::detail
