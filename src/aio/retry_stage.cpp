#include "dspu/aio/detail/retry_stage.hpp"

#include "dspu/aio/detail/thrown_as.hpp"
#include "dspu/aio/retry_budget.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace dspu::aio::detail {

namespace {

// Refused inside because it would outlast a deadline, and ours too: another attempt cannot end in time either.
bool hopeless(const run& r, const std::exception_ptr& error) {
  if (!r.context.has_deadline()) return false;
  const auto* const refusal = thrown_as<deadline_error>(error);
  return refusal != nullptr && refusal->needed() >= r.context.remaining();
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
  begin_again(r);
  return entry::go;
}

void retry_session::begin_again(run& r) {
  starts_ = r.starts();
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
  charge_.keep();
  if (budget_ != nullptr) budget_->record(verdict::success, r.context.clock());
  end_attempt(r);
}

next retry_session::leave(run& r, std::size_t level, ending e) {
  end_attempt(r);
  if (r.cut_from_outside(level)) {
    charge_.give_back_unless_begun();
    return next::up;
  }
  charge_.keep();
  failed_attempt_ = machine_.attempt();
  const auto came_to = e.view();
  const auto decision = rules_->decide(machine_, came_to);
  if (budget_ != nullptr) budget_->record(decision.judged(), r.context.clock());
  if (decision.reason == core::retry_reason::succeeded) return next::up;
  if (!decision.again) return give_up(r, core::name_of(decision.reason), e);
  if (hopeless(r, e.error())) return give_up(r, "deadline", e);
  if (numbers_->shadow) {
    r.tell(event_kind::shadowed, "retry", core::name_of(decision.reason),
           {{"attempt", static_cast<double>(failed_attempt_)}, {"delay", in_seconds(decision.delay)}}, e.error());
    return next::up;
  }

  if (r.starts() != starts_) r.note_error(came_to);
  delay_ = decision.delay;
  if (const auto left = r.context.remaining(); delay_ >= left) return give_up_for_the_deadline(r, left, e);
  if (budget_ != nullptr && !charge(r)) return give_up(r, "budget_exhausted", e);
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

// The pause would outlast the call.
next retry_session::give_up_for_the_deadline(run& r, duration left, ending e) const {
  if (r.observed()) {
    r.tell(event_kind::retry_gave_up, "retry", "deadline",
           {{"attempt", static_cast<double>(failed_attempt_)},
            {"max_attempts", static_cast<double>(numbers_->plan.max_attempts)},
            {"delay", in_seconds(delay_)},
            {"remaining", in_seconds(left)}},
           e.error());
  }
  e.fail(std::make_exception_ptr(deadline_error(delay_, left, r.last_error_or(e.view()))));
  return next::up;
}

bool retry_session::charge(run& r) {
  const auto now = r.context.clock();
  const auto answer = charge_.take(*budget_, now, r.counter);
  if (answer == core::withdrawal::shadowed && r.observed()) {
    r.tell(event_kind::shadowed, "retry_budget", "budget_exhausted", {{"balance", budget_->balance(now)}});
  }
  return answer != core::withdrawal::refused;
}

awaitable<void> retry_session::give_way() const {
  constexpr std::int64_t turns = 16;
  if (failed_attempt_ % turns != 0) co_return;
  auto turn = asio::post(asio::deferred);
  co_await std::move(turn);  // NOLINT(performance-move-const-arg): Asio awaits operations as rvalues
}

awaitable<void> retry_session::tell_on_retry(std::exception_ptr error) {
  std::exception_ptr thrown;
  try {
    auto telling = rules_->functions().on_retry.await(failed_attempt_, error);
    co_await std::move(telling);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (!thrown) co_return;
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw cancelled_error(error);
  throw callback_error(thrown, error);
}

}  // namespace dspu::aio::detail
