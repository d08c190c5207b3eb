// The circuit breaker's part in a pipeline: a permit on the way down, settled on the way up.
#pragma once

#include "dspu/aio/circuit_breaker.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <optional>

namespace dspu::aio::detail {

stage_facts facts_of(const breaker_state& breaker);

// For an observer: a change, and a call that was refused, or would have been.
void tell_of_change(const run& r, const breaker_change& change);
void tell_of_refusal(const run& r, event_kind kind, const core::breaker_statistics& now,
                     std::optional<duration> retry_after, const std::exception_ptr& error = nullptr);

template <class Clock>
class breaker_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit breaker_stage(basic_circuit_breaker<Clock>& breaker) : breaker_(&breaker) {}
  stage_facts facts() const { return facts_of(breaker_->state_); }

  class session : public session_defaults {
   public:
    explicit session(const breaker_stage& s) : breaker_(s.breaker_) {}

    entry enter(run& r, std::size_t) {
      starts_ = r.starts;
      if (r.observed()) {
        ask_and_tell(r);
      } else {
        permit_.emplace(breaker_->try_permit());
      }
      if (state().events_pending()) return entry::wait;
      return *permit_ ? entry::go : r.refuse(refusal(r));
    }
    awaitable<void> wait(run& r) { return tell_and_go(r); }

    bool plain() const {
      return !state().classify() && permit_->success_changes_nothing();
    }
    void succeed(run&) { permit_->success(); }

    next leave(run& r, std::size_t level, ending e) {
      const bool not_ours = r.starts == starts_ || (r.cut_from_outside(level) && !e.has_value());
      const auto came_to = e.view();
      const auto v = not_ours ? verdict::ignored : state().judge(came_to);
      const auto stay_away = state().retry_after(v, came_to);
      if (r.observed()) {
        settle_and_tell(r, v, stay_away);
      } else {
        permit_->settle(v, stay_away);
      }
      return state().events_pending() ? next::attend : next::up;
    }
    awaitable<void> attend(run&, ending) { return state().deliver_async(); }

   private:
    breaker_state& state() const { return breaker_->state_; }
    // Out of line: calls that nobody observes do not carry what these keep.
    [[gnu::noinline]] void settle_and_tell(const run& r, verdict v, std::optional<duration> stay_away) {
      std::optional<breaker_change> change;
      permit_->settle(v, stay_away, &change);
      if (change) tell_of_change(r, *change);
    }
    [[gnu::noinline]] void ask_and_tell(const run& r) {
      std::optional<breaker_change> change;
      permit_.emplace(breaker_->admit(&change));
      if (change) tell_of_change(r, *change);
      if (permit_->generation_ == core::breaker_machine::no_generation) {
        tell_of_refusal(r, event_kind::shadowed, breaker_->statistics(), std::nullopt);
      }
    }
    [[gnu::noinline]] std::exception_ptr refusal(const run& r) const {
      auto error = std::make_exception_ptr(state().refusal(permit_->retry_after()));
      if (r.observed()) {
        tell_of_refusal(r, event_kind::refused, breaker_->statistics(), permit_->retry_after(), error);
      }
      return error;
    }
    awaitable<void> tell_and_go(const run& r) {
      auto telling = state().deliver_async();
      co_await std::move(telling);
      if (!*permit_) std::rethrow_exception(refusal(r));
    }

    basic_circuit_breaker<Clock>* breaker_;
    std::optional<typename basic_circuit_breaker<Clock>::permit> permit_;
    std::uint64_t starts_ = 0;
  };

 private:
  basic_circuit_breaker<Clock>* breaker_;
};

}  // namespace dspu::aio::detail
