// Something to be done at an instant, unless it is disarmed before; on a serial executor (detail/serial.hpp), where its
// owner runs.
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <functional>
#include <memory>
#include <utility>

namespace dspu::aio::detail {

template <class Clock>
class alarm final : private timed {
 public:
  alarm() = default;
  ~alarm() { disarm(); }

  // Requires: it is not armed. `ex` is serial. `ring` may destroy this. Throws: bad_alloc; then it is not armed.
  void arm(const asio::any_io_executor& ex, typename Clock::time_point t, std::function<void()> ring) {
    rang_ = false;
    if (t == Clock::time_point::max()) return;
    auto& all = deadlines_of<Clock>(ex);
    if (!is_loop_of_one_thread(ex) && !bell_) bell_ = std::make_shared<bell>(ex);
    ring_ = std::move(ring);
    all.add(*this, t);
    all_ = &all;
  }

  // After it, nothing rings. Returns: whether its time had come.
  bool disarm() {
    if (all_ == nullptr) return rang_;
    std::exchange(all_, nullptr)->remove(*this);
    if (bell_ && std::exchange(bell_->from, nullptr) != nullptr) bell_.reset();
    return rang_;
  }

 private:
  // What rings where the owner runs. Made before it is needed, and left to itself if it is disarmed on its way.
  class bell final : public posted {
   public:
    explicit bell(asio::any_io_executor ex) : executor_(std::move(ex)) {}

    alarm* from = nullptr;  // while it is on its way; touched on the executor only

    void ring_for(alarm& a, std::shared_ptr<bell> self) {
      from = &a;
      self_ = std::move(self);
      post_surely_to(executor_);
    }

   private:
    void on_arrival() override {
      const auto self = std::move(self_);
      if (auto* const a = std::exchange(from, nullptr)) a->call();
    }
    void on_shutdown() override { const auto self = std::move(self_); }

    asio::any_io_executor executor_;
    std::shared_ptr<bell> self_;
  };

  void call() {
    const auto ring = std::move(ring_);
    ring();
  }

  void expire(std::unique_lock<std::mutex>& lock) override {
    rang_ = true;
    if (bell_) return bell_->ring_for(*this, bell_);
    lock.unlock();
    call();
  }

  deadlines* all_ = nullptr;
  std::function<void()> ring_;
  std::shared_ptr<bell> bell_;  // null if the alarm rings where its time comes
  bool rang_ = false;           // guarded by the deadlines' lock until remove() has been called
};

}  // namespace dspu::aio::detail
