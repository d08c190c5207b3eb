#include "dspu/aio/detail/family.hpp"

namespace dspu::aio::detail {

void family::wait(parent_handler handler) {
  handler_.emplace(std::move(handler));
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    // All had ended by now; a handler is never called inside its own initiation.
    resume_by_post();
  }
}

void family::drop(bool ended) {
  if (!ended) abandoned_.store(true, std::memory_order_relaxed);
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // The last thing done here: whoever holds the handler holds the parent's frame, and us in it.
  if (abandoned_.load(std::memory_order_relaxed)) {
    const auto unwound = std::move(handler_);
  } else if (serial_) {
    resume();
  } else if (!lane::scope::do_after(*this, parent_)) {
    resume_by_post();
  }
}

void family::resume() {
  auto handler = std::move(*handler_);
  handler();
}

void family::resume_by_post() {
  auto handler = std::move(*handler_);
  const auto ex = parent_;
  asio::post(ex, std::move(handler));
}

asio::cancellation_type_t family::adopt(child& c) {
  const std::lock_guard lock(mutex_);
  c.next_ = children_;
  children_ = &c;
  return cancelled_;
}

void family::cancel_all(asio::cancellation_type_t type) {
  auto keep = share::of_the_living(*this);  // a child that ends inside its own cancellation must not take us with it
  if (!keep) return;
  child* first = nullptr;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ |= type;
    first = children_;
  }
  for (child* c = first; c != nullptr; c = c->next_) c->cancel(type);
  keep->end();
}

void child::cancel(asio::cancellation_type_t type) {
  if (home_.serial()) {
    cancel_here(type);
    return;
  }
  if (auto keep = share_of_the_living()) cancel_by_post(std::move(*keep), type);
}

void child::cancel_by_post(share s, asio::cancellation_type_t type) {
  asio::post(executor_, [s = std::move(s), this, type]() mutable {
    cancel_here(type);
    s.end();
  });
}

}  // namespace dspu::aio::detail
