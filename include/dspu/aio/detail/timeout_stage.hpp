// The timeout's part in a pipeline: an alarm that cancels the driver, and the blame for it afterwards.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/alarm.hpp"
#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/live.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace dspu::aio::detail {

stage_facts timeout_facts(duration d);

struct timeout_rules {
  duration limit;
  bool shadow;
  friend bool operator==(const timeout_rules&, const timeout_rules&) = default;
};

template <class Clock>
class timeout_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool interrupts = true;

  explicit timeout_stage(std::shared_ptr<const live<timeout_rules>> rules) : rules_(std::move(rules)) {}
  stage_facts facts() const { return timeout_facts(rules_->get().limit); }

  class session : public session_defaults {
   public:
    explicit session(const timeout_stage& s) : session(s.rules_->get()) {}
    explicit session(const timeout_rules& rules) : duration_(rules.limit), shadow_(rules.shadow) {}

    entry enter(run& r, std::size_t level) {
      if (shadow_) {
        began_ = Clock::now();
        return entry::go;
      }
      if (duration_ <= duration{0}) {
        r.tell(event_kind::refused, "timeout", "no_time", {{"limit", in_seconds(duration_)}});
        return r.refuse(std::make_exception_ptr(async_timeout_error(duration_)));
      }
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
      if (shadow_) return tell_in_shadow(r);
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

    void tell_in_shadow(const run& r) const {
      if (!r.observed()) return;
      const auto took = std::chrono::duration_cast<duration>(Clock::now() - began_);
      if (took < duration_) return;
      r.tell(event_kind::shadowed, "timeout", "expired", {{"limit", in_seconds(duration_)}, {"seconds", in_seconds(took)}});
    }

    duration duration_;
    bool shadow_;
    typename Clock::time_point began_{};
    core::instant outer_deadline_{};
    core::instant outer_enforced_{};
    alarm<Clock> alarm_;
  };

 private:
  std::shared_ptr<const live<timeout_rules>> rules_;
};

}  // namespace dspu::aio::detail
