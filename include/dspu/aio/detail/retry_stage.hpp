// The retry's part in a pipeline: sends the call down again, after a pause.
#pragma once

#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/retry.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <memory>

namespace dspu::aio::detail {

// All of a retry's session but its clock.
class retry_session : public session_defaults {
 public:
  explicit retry_session(const retry_rules& rules) : rules_(&rules), machine_(rules.plan) {}

  bool plain() const { return !rules_->options.classify; }

 protected:
  entry start(run& r);
  void begin_attempt(run& r);
  void end_attempt(run& r);
  next decide(run& r, std::size_t level, ending e, core::instant now);

  const retry_rules* rules_;
  core::retry_machine machine_;
  std::int64_t failed_attempt_ = 0;
  duration delay_{0};

 private:
  std::int64_t outer_attempt_ = 1;
};

stage_facts facts_of(const retry_rules& rules);

template <class Clock>
class retry_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool reruns = true;

  explicit retry_stage(std::shared_ptr<const retry_rules> rules) : rules_(std::move(rules)) {}
  stage_facts facts() const { return facts_of(*rules_); }

  class session : public retry_session {
   public:
    explicit session(const retry_stage& s) : retry_session(*s.rules_) {}

    entry enter(run& r, std::size_t) { return start(r); }
    void succeed(run& r) { end_attempt(r); }
    next leave(run& r, std::size_t level, ending e) {
      const auto now = r.context.has_deadline() ? core::instant_of(Clock::now()) : core::instant{};
      return decide(r, level, e, now);
    }
    awaitable<void> attend(run& r, ending e) { return pause_for(r, e.error()); }

   private:
    awaitable<void> pause_for(run& r, std::exception_ptr error) {
      auto pausing = pause<Clock>(*rules_, failed_attempt_, delay_, error);
      co_await std::move(pausing);
      begin_attempt(r);
    }
  };

 private:
  std::shared_ptr<const retry_rules> rules_;
};

}  // namespace dspu::aio::detail
