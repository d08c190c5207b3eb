// The circuit breaker's part in a call: a permit on the way down, settled on the way up.
#pragma once

#include "dspu/aio/detail/breaker_state.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace dspu::aio {

template <class Clock>
class basic_circuit_breaker;

}  // namespace dspu::aio

namespace dspu::aio::detail {

stage_facts facts_of(const breaker_state& breaker);

// For an observer: a change, and a call that was refused, or would have been.
void tell_of_change(const run& r, const breaker_change& change);
void tell_of_refusal(const run& r, event_kind kind, const core::breaker_statistics& now,
                     std::optional<duration> retry_after, const std::exception_ptr& error = nullptr);

template <class Clock>
class breaker_stage : public stage_defaults {
  using breaker = basic_circuit_breaker<Clock>;

 public:
  using clock_type = Clock;

  explicit breaker_stage(breaker& b) : breaker_(&b) {}
  stage_facts facts() const { return facts_of(state()); }

  // While the breaker is closed and nothing is counted, so that a permit has nothing to give back; or while it is open.
  class shortcut {
   public:
    [[gnu::always_inline]] bool enter(const breaker_stage& s) {
      const auto generation = s.state().enter_clean();
      if (!generation || s.state().classify()) return false;
      generation_ = *generation;
      return true;
    }
    [[gnu::noinline]] std::exception_ptr refusal(const breaker_stage& s) const {
      if (s.state().events_pending()) return nullptr;
      const auto left = s.state().refuse_if_open(breaker::now());
      return left ? error_access::make(s.state().refusal(left), false, nullptr) : nullptr;
    }
    [[gnu::always_inline]] bool succeed(const breaker_stage& s) {
      return s.state().success_changes_nothing(generation_);
    }
    std::uint64_t generation() const { return generation_; }

   private:
    std::uint64_t generation_;
  };

  class session : public session_defaults {
   public:
    explicit session(const breaker_stage& s) : breaker_(s.breaker_) {}

    entry enter(run& r, std::size_t) {
      starts_ = r.starts();
      if (r.observed()) {
        ask_and_tell(r);
      } else {
        permit_.emplace(breaker_->try_permit());
      }
      if (state().events_pending()) return entry::wait;
      return *permit_ ? entry::go : r.refuse(refusal(r));
    }
    void take_over(run&, const shortcut& s) {
      permit_.emplace(breaker_->permit_of({.generation = s.generation(), .timed = false}));
    }
    awaitable<void> wait(run& r) { return tell_and_go(r); }

    bool plain() const {
      return !state().classify() && permit_->success_changes_nothing();
    }
    void succeed(run&) { permit_->success(); }

    next leave(run& r, std::size_t level, ending e) {
      const auto came_to = e.view();
      const auto v = r.judged(level, starts_, came_to, [this](const outcome& o) { return state().judge(o); });
      const auto stay_away = state().retry_after(v, came_to);
      if (r.observed()) {
        settle_and_tell(r, v, stay_away);
      } else {
        permit_->settle(v, stay_away);
      }
      return state().events_pending() ? next::attend : next::up;
    }
    awaitable<void> attend(run&, ending) { return state().deliver_async(); }
    void abandon(run&) { permit_.reset(); }

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
      auto error = error_access::make(state().refusal(permit_->retry_after()), r.starts() > 0, r.context.last_error);
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

    breaker* breaker_;
    std::optional<typename breaker::permit> permit_;
    std::uint64_t starts_ = 0;
  };

 private:
  breaker_state& state() const { return breaker_->state_; }

  breaker* breaker_;
};

}  // namespace dspu::aio::detail
