// The adaptive rate's clock and its timer. Included by clock_support.hpp.
#pragma once

#include "dspu/aio/detail/adaptive_rate_state.hpp"
#include "dspu/aio/impl/deadlines.ipp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <optional>
#include <utility>

namespace dspu::aio::detail {

template <class Clock>
class timed_adaptive_rate_state final : public adaptive_rate_state {
 public:
  explicit timed_adaptive_rate_state(adaptive_rate_options options)
      : adaptive_rate_state(std::move(options), timekeeper_of<Clock>) {}

 private:
  using timer = asio::basic_waitable_timer<Clock>;
  using time_point = typename Clock::time_point;

  void arm(const asio::any_io_executor& ex, instant at, std::uint64_t plan) override {
    const asio::execution_context& here = asio::query(ex, asio::execution::context);
    // Not tracked: the waiters keep their contexts running.
    timer_.emplace(ex, time_point{std::chrono::duration_cast<typename Clock::duration>(at.time_since_epoch())});
    auto self = std::static_pointer_cast<timed_adaptive_rate_state>(shared_from_this());
    timer_->async_wait([self = std::move(self), plan, &here](error_code) { self->wake(plan, here); });
  }

  void disarm() override { timer_.reset(); }

  std::optional<timer> timer_;
};

template <class Clock>
std::shared_ptr<adaptive_rate_state> make_adaptive_rate_state(adaptive_rate_options options) {
  return std::make_shared<timed_adaptive_rate_state<Clock>>(std::move(options));
}

}  // namespace dspu::aio::detail
