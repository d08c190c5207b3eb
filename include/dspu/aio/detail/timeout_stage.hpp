// The timeout's part in a call: an alarm that cancels what the driver awaits, and what the call came to if it rang.
#pragma once

#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/live.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace dspu::aio::detail {

stage_facts timeout_facts(duration d, bool shadow = false);

// Throws the error of a call that is not even begun.
[[noreturn]] void refuse_without_time(duration limit);

// What a call ends with that a timeout has cut: an async_timeout_error. `last` is what an attempt in it had failed with; without
// that, what a policy in the operation says of its attempts.
std::exception_ptr timeout_error(duration limit, const outcome& aborted, std::exception_ptr last = nullptr);

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
  stage_facts facts() const {
    const auto rules = rules_->get();
    return timeout_facts(rules.limit, rules.shadow);
  }

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
        return r.refuse(async_timeout_error(duration_));
      }
      failures_ = r.failures;
      outer_deadline_ = r.context.deadline;
      outer_enforced_ = r.enforced;
      const auto deadline = core::add_saturating(r.template now<Clock>(), duration_);
      if (deadline < r.context.deadline) r.context.deadline = deadline;
      if (deadline < r.enforced) {
        r.enforced = deadline;
        limit_.plan(r, level, deadline);
      }
      return entry::go;
    }

    void succeed(run& r) {
      if (shadow_) return tell_in_shadow(r);
      limit_.disarm();
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
      if (const auto came_to = e.view(); came_to.aborted()) {
        const bool inside = r.failures != failures_;  // attempts inside of the timeout have failed, not only some before it
        e.fail(timeout_error(duration_, came_to, inside ? r.context.last_error : nullptr));
      }
      return next::up;
    }

   private:
    class limit final : public scope_alarm_at<Clock> {
     public:
      void plan(run& r, std::size_t level, core::instant end) {
        run_ = &r;
        level_ = level;
        using point = typename Clock::time_point;
        using step = typename Clock::duration;
        this->plan_at(*r.scope, end == core::instant::max()
                                    ? point::max()
                                    : point{std::chrono::ceil<step>(end.time_since_epoch())});
      }

     private:
      void ring(cancel_scope& scope) override {
        if (level_ < run_->interrupted) run_->interrupted = level_;
        run_->context.cancelled_by = cancel_reason::timeout;
        scope.interrupt(asio::cancellation_type::terminal);  // the last thing done: the call may be over after it
      }

      run* run_ = nullptr;
      std::size_t level_ = 0;
    };

    void tell_in_shadow(const run& r) const {
      if (!r.observed()) return;
      const auto took = std::chrono::duration_cast<duration>(Clock::now() - began_);
      if (took < duration_) return;
      r.tell(event_kind::shadowed, "timeout", "expired", {{"limit", in_seconds(duration_)}, {"seconds", in_seconds(took)}});
    }

    duration duration_;
    bool shadow_;
    typename Clock::time_point began_{};
    std::uint64_t failures_ = 0;
    core::instant outer_deadline_{};
    core::instant outer_enforced_{};
    limit limit_;
  };

 private:
  std::shared_ptr<const live<timeout_rules>> rules_;
};

}  // namespace dspu::aio::detail
