// The limiter's clock and its timer. Included by clock_support.hpp.
#pragma once

#include "dspu/aio/impl/deadlines.ipp"
#include "dspu/aio/rate_limiter.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <optional>

namespace dspu::aio::detail {

template <class Clock>
class timed_limiter_state final : public limiter_state {
 public:
  explicit timed_limiter_state(const rate_limiter_options& options) : limiter_state(options, timekeeper_of<Clock>) {}

 private:
  using timer = asio::basic_waitable_timer<Clock>;
  using time_point = typename Clock::time_point;

  void arm(const asio::any_io_executor& ex, instant at, std::uint64_t plan) override {
    const asio::execution_context& here = asio::query(ex, asio::execution::context);
    // Not tracked: the waiters keep their contexts running.
    timer_.emplace(ex,
                   time_point{std::chrono::duration_cast<typename Clock::duration>(at.time_since_epoch())});
    auto self = std::static_pointer_cast<timed_limiter_state>(shared_from_this());
    timer_->async_wait([self = std::move(self), plan, &here](error_code) { self->wake(plan, here); });
  }

  void disarm() override { timer_.reset(); }

  std::optional<timer> timer_;
};

template <class Clock>
std::shared_ptr<limiter_state> make_limiter_state(const rate_limiter_options& options) {
  return std::make_shared<timed_limiter_state<Clock>>(options);
}

}  // namespace dspu::aio::detail
