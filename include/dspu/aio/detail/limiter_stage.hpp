// The rate limiter's part in a pipeline: a token on the way down, given back if the operation was never begun.
#pragma once

#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/rate_limiter.hpp"
#include "dspu/aio/stage_facts.hpp"

namespace dspu::aio::detail {

stage_facts facts_of(const limiter_state& limiter);

template <class Clock>
class limiter_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit limiter_stage(basic_rate_limiter<Clock>& limiter)
      : limiter_(&limiter) {
    limiter.state_->checked(1);
  }
  stage_facts facts() const { return facts_of(*limiter_->state_); }

  class session : public session_defaults {
   public:
    explicit session(const limiter_stage& s) : limiter_(s.limiter_) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() { give_back_if_unused(); }

    entry enter(run& r, std::size_t) {
      run_ = &r;
      starts_ = r.starts;
      if (r.observed() && limiter_->state_->shadow) {
        taken_ = take_and_tell(r);
      } else {
        taken_ = limiter_->state_->try_take(1, limiter_->now(), true, r.context.deadline);
      }
      return taken_ ? entry::go : entry::wait;
    }
    awaitable<void> wait(run& r) { return wait_in_line(r); }

    void succeed(run&) { taken_ = false; }
    next leave(run&, std::size_t, ending) {
      give_back_if_unused();
      return next::up;
    }

   private:
    [[gnu::noinline]] bool take_and_tell(const run& r) {
      const auto now = limiter_->now();
      const auto ready = limiter_->state_->take_as_shadow(1, now, r.context.deadline);
      if (ready > now) {
        r.tell(event_kind::shadowed, "rate_limiter", ready > r.context.deadline ? "deadline" : "tokens",
               {{"seconds", in_seconds(ready - now)}, {"tokens", limiter_->tokens()}});
      }
      return true;
    }
    awaitable<void> wait_in_line(run& r) {
      const auto began = r.observed() ? r.context.clock() : core::instant{};
      acquire_options options;
      if (r.context.has_deadline()) options.deadline = r.context.deadline;
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
      if (std::exchange(taken_, false) && run_->starts == starts_) limiter_->state_->give_back(1);
    }

    basic_rate_limiter<Clock>* limiter_;
    run* run_ = nullptr;
    std::uint64_t starts_ = 0;
    bool taken_ = false;
  };

 private:
  basic_rate_limiter<Clock>* limiter_;
};

}  // namespace dspu::aio::detail
