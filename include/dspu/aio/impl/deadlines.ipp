// The clock and the timer of deadlines, for timeouts and hedges. Included by clock_support.hpp.
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <optional>
#include <utility>

namespace dspu::aio::detail {

template <class Clock>
class clock_deadlines final : public remembered_service, public deadlines {
 public:
  static inline asio::execution_context::id id;

  explicit clock_deadlines(asio::execution_context& context) : remembered_service(context) {}

  static clock_deadlines& of(const asio::any_io_executor& ex) {
    return service_of<clock_deadlines>(asio::query(ex, asio::execution::context),
                                       [&ex](clock_deadlines& d) { d.set_base(ex); });
  }

 private:
  // What a timer calls, or destroys.
  class ring {
   public:
    ring(clock_deadlines& d, std::uint64_t number) : all_(&d), number_(number) {}
    ring(ring&& other) noexcept : all_(std::exchange(other.all_, nullptr)), number_(other.number_) {}
    ring& operator=(ring&&) = delete;
    ~ring() {
      if (all_ != nullptr && !offer::made_of(all_)) all_->lose(number_);
    }
    void operator()(error_code ec) {
      auto* const all = std::exchange(all_, nullptr);
      if (!ec) all->fire(number_);
    }

   private:
    clock_deadlines* all_;
    std::uint64_t number_;
  };

  void shutdown() override { shut_down(); }

  // A timer of the pool's own type is called by its threads as it is; one of any_io_executor would allocate then.
  void arm(const asio::any_io_executor& base, std::int64_t at, std::uint64_t number) override {
    const typename Clock::time_point end{typename Clock::duration{at}};
    const offer made(this);
    if (const auto* const pool = base.target<pool_executor>()) {
      pool_timer_.emplace(*pool, end);
      pool_timer_->async_wait(ring(*this, number));
    } else {
      timer_.emplace(base, end);
      timer_->async_wait(ring(*this, number));
    }
  }
  void disarm() override {
    const offer made(this);
    timer_.reset();
    pool_timer_.reset();
  }
  std::int64_t now() const override { return Clock::now().time_since_epoch().count(); }

  using pool_executor = asio::thread_pool::executor_type;
  std::optional<asio::basic_waitable_timer<Clock>> timer_;
  std::optional<asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, pool_executor>> pool_timer_;
};

template <class Clock>
deadlines& deadlines_of(const asio::any_io_executor& ex) {
  return clock_deadlines<Clock>::of(ex);
}

}  // namespace dspu::aio::detail
