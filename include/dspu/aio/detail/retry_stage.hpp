// The retry's part in a call: sends it down again, after a pause.
#pragma once

#include "dspu/aio/detail/budget_charge.hpp"
#include "dspu/aio/detail/retry_rules.hpp"
#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <cstdint>
#include <memory>
#include <utility>

namespace dspu::aio::detail {

stage_facts facts_of(const retry_rules& rules);

// While nobody needs to be asked or told: one attempt that succeeds.
class retry_shortcut : public shortcut_defaults {
 public:
  bool enter(const retry_rules& rules) {
    numbers_ = &rules.numbers();
    return rules.asks_nobody();
  }
  // Those of the call's start.
  const retry_numbers& numbers() const { return *numbers_; }

 private:
  const retry_numbers* numbers_ = nullptr;
};

// All of a retry's session but its clock.
class retry_session : public session_defaults {
 public:
  explicit retry_session(const retry_rules& rules)
      : rules_(&rules), numbers_(&rules.numbers()), machine_(numbers_->plan) {}
  retry_session(const retry_session&) = delete;
  retry_session& operator=(const retry_session&) = delete;

  entry enter(run& r, std::size_t level);
  void take_over(run& r, const retry_shortcut& s) {
    numbers_ = &s.numbers();
    enter(r, 0);
  }
  bool plain() const { return !rules_->functions().classify; }
  void succeed(run& r);
  next leave(run& r, std::size_t level, ending e);
  void begin_again(run& r);
  void abandon(run&) { charge_.give_back_unless_begun(); }

 protected:
  // Tells on_retry. Throws: callback_error, cancelled_error.
  awaitable<void> tell_on_retry(std::exception_ptr error);
  bool tells_on_retry() const { return static_cast<bool>(rules_->functions().on_retry); }
  // Of the pause.
  duration delay() const { return delay_; }
  // Lets the event loop do other work, now and then: for pauses of no length.
  awaitable<void> give_way() const;

 private:
  void end_attempt(run& r);
  next give_up(const run& r, std::string_view reason, ending e) const;
  next give_up_for_the_deadline(run& r, duration left, ending e) const;
  void tell_of_pause(const run& r, std::string_view reason, ending e) const;
  bool charge(run& r);

  const retry_rules* rules_;
  const retry_numbers* numbers_;  // those of the call's start
  core::retry_machine machine_;
  std::int64_t failed_attempt_ = 0;
  duration delay_{0};
  std::int64_t outer_attempt_ = 1;
  retry_budget* outer_budget_ = nullptr;
  retry_budget* budget_ = nullptr;
  std::uint64_t starts_ = 0;  // when the attempt under way began
  budget_charge charge_;      // for that
};

template <class Clock>
class retry_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool reruns = true;

  explicit retry_stage(std::shared_ptr<retry_rules> rules) : rules_(std::move(rules)) {}
  stage_facts facts() const { return facts_of(*rules_); }
  retry_rules& rules() const { return *rules_; }

  class shortcut : public retry_shortcut {
   public:
    bool enter(const retry_stage& s) { return retry_shortcut::enter(*s.rules_); }
  };

  class session : public retry_session {
   public:
    explicit session(const retry_stage& s) : retry_session(*s.rules_) {}

    awaitable<void> attend(run& r, ending e) { return pause(r.last_error_or(e.view()), e.error()); }

   private:
    // Throws: callback_error; cancelled_error with the last real error.
    awaitable<void> pause(std::exception_ptr last, std::exception_ptr error) {
      if (tells_on_retry()) {
        auto telling = tell_on_retry(error);
        co_await std::move(telling);
      }
      bool cancelled = false;
      try {
        auto sleeping = delay() > duration{0} ? sleep_for<Clock>(delay()) : give_way();
        co_await std::move(sleeping);
      } catch (const boost::system::system_error&) {
        cancelled = true;
      }
      if (cancelled) throw cancelled_error(last);
    }
  };

 private:
  std::shared_ptr<retry_rules> rules_;
};

}  // namespace dspu::aio::detail
