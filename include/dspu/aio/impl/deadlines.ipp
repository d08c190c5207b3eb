// The clock and the timer of deadlines. Include this in one source file and instantiate detail::deadlines_of<Clock> there,
// to use a timeout or a hedge with a clock of your own.
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/remembered_service.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <optional>

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
  void shutdown() override { shut_down(); }

  void arm(const asio::any_io_executor& base, std::int64_t at, std::uint64_t number) override {
    timer_.emplace(base, typename Clock::time_point{typename Clock::duration{at}});
    timer_->async_wait([this, number](error_code ec) {
      if (!ec) fire(number);
    });
  }
  void disarm() override { timer_.reset(); }
  std::int64_t now() const override { return Clock::now().time_since_epoch().count(); }

  std::optional<asio::basic_waitable_timer<Clock>> timer_;
};

template <class Clock>
deadlines& deadlines_of(const asio::any_io_executor& ex) {
  return clock_deadlines<Clock>::of(ex);
}

}  // namespace dspu::aio::detail
