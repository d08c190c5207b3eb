// Knows who waits on behalf of one execution context, to destroy them when it is destroyed.
//
// Those whom another thread has just taken out of their queue are no longer the context's to destroy: it goes away once
// they are posted to it.
#pragma once

#include "dspu/aio/detail/remembered_service.hpp"
#include "dspu/aio/detail/wait_queue.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace dspu::aio::detail {

class waiter_registry final : public remembered_service {
 public:
  static inline asio::execution_context::id id;

  explicit waiter_registry(asio::execution_context& context) : remembered_service(context), context_(&context) {}

  const asio::execution_context* context() const { return context_; }

  void add(waiter& w) {
    const std::lock_guard lock(mutex_);
    w.registry_links::link_before(all_);
  }

  void take_out(waiter& w) {
    const std::lock_guard lock(mutex_);
    w.registry_links::unlink();
    ++on_the_way_;
  }

  void arrived(std::size_t n) {
    const std::lock_guard lock(mutex_);
    on_the_way_ -= n;
    if (on_the_way_ == 0) all_arrived_.notify_all();
  }

 private:
  void shutdown() override {
    while (const auto queue = first_queue()) queue->abandon(*this);
    std::unique_lock lock(mutex_);
    all_arrived_.wait(lock, [this] { return on_the_way_ == 0; });
  }

  std::shared_ptr<wait_queue> first_queue() {
    const std::lock_guard lock(mutex_);
    return all_.linked() ? waiter::in_registry(all_.next).queue_ : nullptr;
  }

  const asio::execution_context* const context_;
  std::mutex mutex_;
  std::condition_variable all_arrived_;
  waiter_links all_;
  std::size_t on_the_way_ = 0;
};

// Lives until waiters of one context have been posted, called or destroyed, and then tells the context.
class waiter_passage {
 public:
  explicit waiter_passage(waiter& w) : registry_(w.registry_) { add(w); }
  waiter_passage(const waiter_passage&) = delete;
  waiter_passage& operator=(const waiter_passage&) = delete;
  ~waiter_passage() {
    if (waiters_ > 0) registry_->arrived(waiters_);
  }

  void add(waiter& w) {
    if (std::exchange(w.on_the_way_, false)) ++waiters_;
  }

 private:
  waiter_registry* registry_;
  std::size_t waiters_ = 0;
};

}  // namespace dspu::aio::detail
