#include "dspu/aio/detail/retry_stage.hpp"

#include "dspu/aio/retry_budget.hpp"

namespace dspu::aio::detail {

namespace {

// Refused inside because it would outlast a deadline, and ours too: another attempt cannot end in time either.
bool hopeless(const run& r, ending e) {
  if (!r.context.has_deadline() || e.has_value() || outcome(e.error()).code() != errc::would_exceed_deadline) return false;
  try {
    std::rethrow_exception(e.error());
  } catch (const deadline_error& refusal) {
    return refusal.needed() >= r.context.remaining();
  } catch (...) {
    return false;
  }
}

}  // namespace

entry retry_session::enter(run& r, std::size_t) {
  machine_ = core::retry_machine(numbers_->plan);
  outer_attempt_ = r.context.attempt;
  outer_budget_ = r.context.budget;
  budget_ = outer_budget_;
  if (rules_->functions().budget != nullptr) {
    budget_ = rules_->functions().budget;
    budget_->deposit(r.context.clock());
  }
  begin_attempt(r);
  return entry::go;
}

void retry_session::begin_attempt(run& r) {
  charged_ = false;
  r.context.attempt = machine_.attempt();
  r.context.budget = budget_;
  ++r.context.retries_around;
}

void retry_session::end_attempt(run& r) {
  r.context.attempt = outer_attempt_;
  r.context.budget = outer_budget_;
  --r.context.retries_around;
}

void retry_session::succeed(run& r) {
  if (budget_ != nullptr) budget_->record(verdict::success, r.context.clock());
  end_attempt(r);
}

next retry_session::leave(run& r, std::size_t level, ending e) {
  end_attempt(r);
  if (r.cut_from_outside(level)) return next::up;
  failed_attempt_ = machine_.attempt();
  const auto decision = rules_->decide(machine_, e.view());
  if (decision.reason == core::retry_reason::succeeded) {
    if (budget_ != nullptr) budget_->record(verdict::success, r.context.clock());
    return next::up;
  }
  if (decision.reason == core::retry_reason::not_retryable) return give_up(r, core::name_of(decision.reason), e);
  if (budget_ != nullptr) budget_->record(verdict::failure, r.context.clock());
  if (!decision.again) return give_up(r, core::name_of(decision.reason), e);
  if (hopeless(r, e)) return give_up(r, "deadline", e);
  if (numbers_->shadow) {
    r.tell(event_kind::shadowed, "retry", core::name_of(decision.reason),
           {{"attempt", static_cast<double>(failed_attempt_)}, {"delay", in_seconds(decision.delay)}}, e.error());
    return next::up;
  }

  r.context.last_error = e.error();
  const auto left = r.context.remaining();
  if (decision.delay >= left) {
    if (r.observed()) {
      r.tell(event_kind::retry_gave_up, "retry", "deadline",
             {{"attempt", static_cast<double>(failed_attempt_)},
              {"max_attempts", static_cast<double>(numbers_->plan.max_attempts)},
              {"delay", in_seconds(decision.delay)},
              {"remaining", in_seconds(left)}},
             e.error());
    }
    e.fail(std::make_exception_ptr(deadline_error(decision.delay, left, r.context.last_error)));
    return next::up;
  }
  if (budget_ != nullptr && !charge(r)) return give_up(r, "budget_exhausted", e);
  delay_ = decision.delay;
  if (r.observed()) tell_of_pause(r, core::name_of(decision.reason), e);
  return next::again;
}

void retry_session::tell_of_pause(const run& r, std::string_view reason, ending e) const {
  const fact facts[] = {{"attempt", static_cast<double>(failed_attempt_)},
                        {"max_attempts", static_cast<double>(numbers_->plan.max_attempts)},
                        {"delay", in_seconds(delay_)},
                        {"budget", budget_ == nullptr ? 0 : budget_->balance(r.context.clock())}};
  r.tell_with_state(event_kind::retry_scheduled, "retry", reason, {},
                    std::span(facts, budget_ == nullptr ? std::size(facts) - 1 : std::size(facts)), e.error());
}

next retry_session::give_up(const run& r, std::string_view reason, ending e) const {
  if (!r.observed()) return next::up;
  const fact facts[] = {{"attempt", static_cast<double>(failed_attempt_)},
                        {"max_attempts", static_cast<double>(numbers_->plan.max_attempts)},
                        {"budget", budget_ == nullptr ? 0 : budget_->balance(r.context.clock())}};
  r.tell_with_state(event_kind::retry_gave_up, "retry", reason, {},
                    std::span(facts, budget_ == nullptr ? std::size(facts) - 1 : std::size(facts)), e.error());
  return next::up;
}

bool retry_session::charge(const run& r) {
  withdrawn_ = r.context.clock();
  const auto answer = budget_->withdraw(withdrawn_);
  charged_ = answer == core::withdrawal::granted;
  if (answer == core::withdrawal::shadowed && r.observed()) {
    r.tell(event_kind::shadowed, "retry_budget", "budget_exhausted", {{"balance", budget_->balance(withdrawn_)}});
  }
  return answer != core::withdrawal::refused;
}

void retry_session::refund() {
  if (std::exchange(charged_, false)) budget_->refund(withdrawn_);
}

}  // namespace dspu::aio::detail
