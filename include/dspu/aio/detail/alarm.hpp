// Something to be done at an instant, unless it is disarmed before; on a serial executor (detail/serial.hpp), where its
// owner runs.
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace dspu::aio::detail {

template <class Clock>
class alarm final : private timed {
 public:
  alarm() = default;
  ~alarm() { disarm(); }

  // Requires: it is not armed. `ex` is serial. `ring` may destroy this.
  void arm(const asio::any_io_executor& ex, typename Clock::time_point t, std::function<void()> ring) {
    rang_ = false;
    if (t == Clock::time_point::max()) return;
    ring_ = std::move(ring);
    all_ = &deadlines_of<Clock>(ex);
    here_ = is_loop_of_one_thread(ex);
    if (!here_) executor_ = ex;
    all_->add(*this, t);
  }

  // After it, nothing rings. Returns: whether its time had come.
  bool disarm() {
    if (all_ == nullptr) return rang_;
    std::exchange(all_, nullptr)->remove(*this);
    if (on_its_way_) std::exchange(on_its_way_, nullptr)->from = nullptr;
    return rang_;
  }

 private:
  struct ringing {
    alarm* from;  // touched on executor_ only
  };

  void expire(std::unique_lock<std::mutex>& lock) override {
    rang_ = true;
    if (here_) {
      lock.unlock();
      const auto ring = std::move(ring_);
      ring();
      return;
    }
    on_its_way_ = std::make_shared<ringing>(this);
    asio::post(executor_, [r = on_its_way_] {
      if (r->from == nullptr) return;
      const auto ring = std::move(r->from->ring_);
      ring();
    });
  }

  deadlines* all_ = nullptr;
  std::function<void()> ring_;
  asio::any_io_executor executor_;
  bool here_ = false;
  bool rang_ = false;  // guarded by the deadlines' lock until remove() has been called
  std::shared_ptr<ringing> on_its_way_;
};

}  // namespace dspu::aio::detail
