// The limiter's line and its timer, for one clock. Include this in one source file and instantiate
// detail::make_limiter_state<Clock> there, to use a limiter with a clock of your own.
#pragma once

#include "dspu/aio/rate_limiter.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <algorithm>

namespace dspu::aio::detail {

template <class Clock>
class timed_limiter_state final : public limiter_state {
 public:
  explicit timed_limiter_state(const rate_limiter_options& options)
      : limiter_state(options, now()), wake_interval_(options.wake_interval), slack_(slack_units(bucket, options)) {}

  void wait(waiter_ptr w, bool new_here) override {
    waiter_list done;
    error_code ec;
    {
      const std::lock_guard lock(mutex_);
      const bool first = empty();
      const auto instant = now();
      const auto no = would_exceed(w->amount(), w->request().deadline, instant);
      if (no) {
        if (w->request().refusal != nullptr) *w->request().refusal = *no;
        ec = errc::would_exceed_deadline;
        done.push_back(*w.release());
      } else if (new_here && try_take(w->amount(), instant)) {
        done.push_back(*w.release());
      } else if (size() >= max_waiters) {
        ec = errc::queue_full;
        done.push_back(*w.release());
      } else {
        push_back(*w.release());
        if (first) {
          close_line();
          plan(core::instant::min());
        }
      }
    }
    done.complete(ec);
  }

 private:
  using timer = asio::basic_waitable_timer<Clock>;
  using time_point = typename Clock::time_point;

  static core::instant now() { return core::instant_of(Clock::now()); }

  // How far a late wake may lag behind before the line loses rate: a stalled loop must not end in a flood.
  static core::token_bucket::units slack_units(const core::token_bucket& bucket, const rate_limiter_options& o) {
    const duration lag = std::max<duration>(std::chrono::milliseconds{10}, 4 * o.wake_interval);
    const double tokens = bucket.rate() * std::chrono::duration<double>(lag) / std::chrono::duration<double>(o.per);
    return static_cast<core::token_bucket::units>(tokens / bucket.granularity());
  }

  // Nobody but we may change the word while the line is closed, and a taker that meets us tries again.
  void give_back(core::token_bucket::units n) override {
    const std::lock_guard lock(mutex_);
    word_.fetch_sub(n << 1, std::memory_order_acq_rel);
    if (!empty()) plan(core::instant::min());
  }

  void left(bool was_front) override {
    if (was_front) plan(core::instant::min());
  }

  // Arms the one timer for who is next, on that waiter's executor; drops it when the line is empty. The lock is held.
  void plan(core::instant earliest) {
    ++plan_;
    if (empty()) {
      timer_.reset();
      open_line();
      return;
    }
    const auto due = bucket.ready_at(word_.load(std::memory_order_relaxed) >> 1, front().amount());
    const auto at = std::max(due, earliest).time_since_epoch();
    // Not tracked: the waiters keep their contexts running.
    timer_.emplace(front().executor(), time_point{std::chrono::duration_cast<typename Clock::duration>(at)});
    auto self = std::static_pointer_cast<timed_limiter_state>(shared_from_this());
    timer_->async_wait([self = std::move(self), plan = plan_](error_code) { self->wake(plan); });
  }

  void wake(std::uint64_t plan_number) {
    waiter_list due;
    const asio::execution_context* here = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (plan_number != plan_) return;
      here = &asio::query(timer_->get_executor(), asio::execution::context);
      const auto instant = now();
      auto level = word_.load(std::memory_order_relaxed) >> 1;
      while (!empty()) {
        const auto next = bucket.take_queued(level, front().amount(), instant, slack_);
        if (!next) break;
        level = *next;
        pop_front_into(due);
      }
      word_.store(level << 1 | 1, std::memory_order_relaxed);
      plan(core::add_saturating(instant, wake_interval_));
    }
    due.complete(error_code{}, here);
  }

  const duration wake_interval_;
  const core::token_bucket::units slack_;
  std::optional<timer> timer_;
  std::uint64_t plan_ = 0;
};

template <class Clock>
std::shared_ptr<limiter_state> make_limiter_state(const rate_limiter_options& options) {
  return std::make_shared<timed_limiter_state<Clock>>(options);
}

}  // namespace dspu::aio::detail
