// The retry's part in a pipeline: sends the call down again, after a pause.
#pragma once

#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <memory>
#include <utility>

namespace dspu::aio::detail {

stage_facts facts_of(const retry_rules& rules);

// All of a retry's session but its clock.
class retry_session : public session_defaults {
 public:
  explicit retry_session(const retry_rules& rules)
      : rules_(&rules), numbers_(&rules.numbers()), machine_(numbers_->plan) {}
  retry_session(const retry_session&) = delete;
  retry_session& operator=(const retry_session&) = delete;
  ~retry_session() { refund(); }

  entry enter(run& r, std::size_t level);
  bool plain() const { return !rules_->functions().classify; }
  void succeed(run& r);
  next leave(run& r, std::size_t level, ending e);

 protected:
  void begin_attempt(run& r);
  void refund();

  const retry_rules* rules_;
  const retry_numbers* numbers_;  // those of the call's start
  core::retry_machine machine_;
  std::int64_t failed_attempt_ = 0;
  duration delay_{0};

 private:
  void end_attempt(run& r);
  next give_up(const run& r, std::string_view reason, ending e) const;
  void tell_of_pause(const run& r, std::string_view reason, ending e) const;
  bool charge(const run& r);

  std::int64_t outer_attempt_ = 1;
  retry_budget* outer_budget_ = nullptr;
  retry_budget* budget_ = nullptr;
  core::instant withdrawn_{};
  bool charged_ = false;  // for an attempt that has not begun
};

template <class Clock>
class retry_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool reruns = true;

  explicit retry_stage(std::shared_ptr<retry_rules> rules) : rules_(std::move(rules)) {}
  stage_facts facts() const { return facts_of(*rules_); }

  class session : public retry_session {
   public:
    explicit session(const retry_stage& s) : retry_session(*s.rules_) {}

    awaitable<void> attend(run& r, ending e) { return pause_for(r, e.error()); }

   private:
    awaitable<void> pause_for(run& r, std::exception_ptr error) {
      auto pausing = pause<Clock>(*rules_, failed_attempt_, delay_, error);
      try {
        co_await std::move(pausing);
      } catch (...) {
        refund();
        throw;
      }
      begin_attempt(r);
    }
  };

 private:
  std::shared_ptr<retry_rules> rules_;
};

}  // namespace dspu::aio::detail
