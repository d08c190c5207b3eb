// The timeout's part in a pipeline: an alarm that cancels the driver, and the blame for it afterwards.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/alarm.hpp"
#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

namespace dspu::aio::detail {

stage_facts timeout_facts(duration d);

template <class Clock>
class timeout_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool interrupts = true;

  explicit timeout_stage(duration d) : duration_(d) {}
  stage_facts facts() const { return timeout_facts(duration_); }

  class session : public session_defaults {
   public:
    explicit session(const timeout_stage& s) : duration_(s.duration_) {}

    entry enter(run& r, std::size_t level) {
      if (duration_ <= duration{0}) return r.refuse(std::make_exception_ptr(async_timeout_error(duration_)));
      outer_deadline_ = r.context.deadline;
      outer_enforced_ = r.enforced;
      const auto end = after<Clock>(duration_);
      const auto deadline = core::instant_of(end);
      if (deadline < r.context.deadline) r.context.deadline = deadline;
      if (deadline < r.enforced) {
        r.enforced = deadline;
        alarm_.arm(r.self->executor(), end, [&r, level] { interrupt(r, level); });
      }
      return entry::go;
    }

    void succeed(run& r) {
      alarm_.disarm();
      r.context.deadline = outer_deadline_;
      r.enforced = outer_enforced_;
    }

    next leave(run& r, std::size_t level, ending e) {
      succeed(r);
      if (r.interrupted != level) return next::up;
      r.interrupted = run::nobody;
      if (r.cancelled) return next::up;
      r.revive = true;
      r.context.cancelled_by = cancel_reason::caller;
      r.tell(event_kind::timed_out, "timeout", e.has_value() ? "kept" : "expired", {{"limit", in_seconds(duration_)}});
      if (!e.has_value() && is_aborted(e.error())) {
        e.fail(std::make_exception_ptr(async_timeout_error(duration_, r.context.last_error)));
      }
      return next::up;
    }

   private:
    static void interrupt(run& r, std::size_t level) {
      if (level < r.interrupted) r.interrupted = level;
      r.context.cancelled_by = cancel_reason::timeout;
      r.self->cancel_here(asio::cancellation_type::terminal);  // the last thing done: the call may be over after it
    }

    duration duration_;
    core::instant outer_deadline_{};
    core::instant outer_enforced_{};
    alarm<Clock> alarm_;
  };

 private:
  duration duration_;
};

}  // namespace dspu::aio::detail
