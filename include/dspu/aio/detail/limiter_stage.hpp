// The rate limiter's part in a call: a token on the way down, given back if the operation was never begun.
#pragma once

#include "dspu/aio/detail/limiter_state.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <utility>

namespace dspu::aio {

template <class Clock>
class basic_rate_limiter;

}  // namespace dspu::aio

namespace dspu::aio::detail {

stage_facts facts_of(const limiter_state& limiter);

// Bounds of the wait, besides the call's deadline.
struct no_bounds {};

// Bounds: no_bounds or acquire_options.
template <class Clock, class Bounds = no_bounds>
class limiter_stage : public stage_defaults {
  using limiter = basic_rate_limiter<Clock>;
  static constexpr bool bounded = !std::same_as<Bounds, no_bounds>;

 public:
  using clock_type = Clock;

  // Throws: std::invalid_argument if the capacity is less than a token.
  explicit limiter_stage(limiter& l, const Bounds& bounds = {}) : limiter_(&l), bounds_(bounds) {
    l.state_->checked(1);
  }
  stage_facts facts() const { return facts_of(*limiter_->state_); }

  // While a token is there and nobody waits.
  class shortcut : public shortcut_defaults {
   public:
    [[gnu::always_inline]] bool enter(const limiter_stage& s) {
      return !bounded && s.limiter_->state_->try_take(1, limiter::now(), true);
    }
  };

  class session : public session_defaults {
   public:
    explicit session(const limiter_stage& s) : limiter_(s.limiter_), bounds_(s.bounds_) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() { give_back_if_unused(); }

    entry enter(run& r, std::size_t) {
      run_ = &r;
      starts_ = r.starts();
      if (r.observed() && limiter_->state_->shadow) {
        taken_ = take_and_tell(r);
      } else {
        taken_ = take(r);
      }
      return taken_ ? entry::go : entry::wait;
    }
    void take_over(run& r, shortcut&) {
      run_ = &r;
      taken_ = true;
    }
    awaitable<void> wait(run& r) { return wait_in_line(r); }

    void succeed(run&) { taken_ = false; }
    next leave(run&, std::size_t, ending) {
      give_back_if_unused();
      return next::up;
    }
    void abandon(run&) { give_back_if_unused(); }

   private:
    core::instant deadline(const run& r) const {
      if constexpr (bounded) {
        return std::min(r.context.deadline, bounds_.deadline.value_or(core::instant::max()));
      } else {
        return r.context.deadline;
      }
    }
    bool take(run& r) {
      const auto now = r.now<Clock>();
      if (bounded && now > deadline(r) && !limiter_->state_->shadow) return false;
      return limiter_->state_->try_take(1, now, true, deadline(r));
    }
    [[gnu::noinline]] bool take_and_tell(const run& r) {
      const auto now = limiter_->now();
      const auto ready = limiter_->state_->take_as_shadow(1, now, deadline(r));
      if (ready > now) {
        r.tell(event_kind::shadowed, "rate_limiter", ready > deadline(r) ? "deadline" : "tokens",
               {{"seconds", in_seconds(ready - now)}, {"tokens", limiter_->tokens()}});
      }
      return true;
    }
    awaitable<void> wait_in_line(run& r) {
      const auto began = r.observed() ? r.context.clock() : core::instant{};
      acquire_options options;
      if constexpr (bounded) options = bounds_;
      if (deadline(r) != core::instant::max()) options.deadline = deadline(r);
      auto waiting = limiter_->wait_for(1, options);
      std::exception_ptr refused;
      try {
        co_await std::move(waiting);
      } catch (const deadline_error& e) {
        refused = std::make_exception_ptr(deadline_error(e.needed(), e.remaining(), r.context.last_error));
        if (r.observed()) tell_of_refusal(r, e, refused);
      } catch (const queue_full_error& e) {
        if (r.observed()) tell_of_refusal(r, e, std::current_exception());
        throw;
      }
      if (refused) std::rethrow_exception(refused);
      taken_ = true;
      if (r.observed()) {
        r.tell(event_kind::waited, "rate_limiter", "tokens",
               {{"seconds", in_seconds(r.context.clock() - began)},
                {"tokens", limiter_->tokens()},
                {"waiting", static_cast<double>(limiter_->waiters())}});
      }
    }
    void tell_of_refusal(const run& r, const deadline_error& e, const std::exception_ptr& error) const {
      r.tell(event_kind::refused, "rate_limiter", "deadline",
             {{"needed", in_seconds(e.needed())},
              {"remaining", in_seconds(e.remaining())},
              {"tokens", limiter_->tokens()},
              {"waiting", static_cast<double>(limiter_->waiters())}},
             error);
    }
    void tell_of_refusal(const run& r, const queue_full_error& e, const std::exception_ptr& error) const {
      r.tell(event_kind::refused, "rate_limiter", "queue_full",
             {{"limit", static_cast<double>(e.limit())},
              {"tokens", limiter_->tokens()},
              {"waiting", static_cast<double>(limiter_->waiters())}},
             error);
    }
    void give_back_if_unused() {
      if (std::exchange(taken_, false) && run_->starts() == starts_) limiter_->state_->give_back(1);
    }

    limiter* limiter_;
    [[no_unique_address]] Bounds bounds_;
    run* run_ = nullptr;
    std::uint64_t starts_ = 0;
    bool taken_ = false;
  };

 private:
  limiter* limiter_;
  [[no_unique_address]] Bounds bounds_;
};

}  // namespace dspu::aio::detail
