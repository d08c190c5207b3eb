#include "dspu/origin_state.hpp"

#include <algorithm>
#include <functional>

namespace dspu::app {

origin_state::origin_state(std::string name, const options& limits, core::instant now)
    : ledger(now),
      name_(std::move(name)),
      concurrency_(limits.concurrency),
      pacer_(limits.rate, now),
      pace_(limits.pace, now),
      health_(limits.health) {
  if (limits.breaker) breaker_.emplace(*limits.breaker);
  if (limits.adaptive) adaptive_.emplace(*limits.adaptive, limits.seed ^ std::hash<std::string>{}(name_));
  if (limits.retry_budget) budget_.emplace(*limits.retry_budget);
}

void origin_state::push(job_ptr job, std::uint64_t ticket, core::instant now) {
  job->ticket = ticket;
  job->queued_at = now;
  if (job->started_at) {
    const turn where{job->not_before, ticket};
    again_.emplace(where, std::move(job));
  } else {
    fresh_.push_back(std::move(job));
  }
}

job_ptr origin_state::pop_fresh() {
  job_ptr job = std::move(fresh_.front());
  fresh_.pop_front();
  return job;
}

job_ptr origin_state::take_again(std::map<turn, job_ptr>::iterator which) {
  job_ptr job = std::move(which->second);
  again_.erase(which);
  return job;
}

job_ptr origin_state::refunded(job_ptr job) {
  if (job->withdrawn) budget_->refund(*std::exchange(job->withdrawn, std::nullopt));
  return job;
}

job_ptr origin_state::pop(core::instant now) {
  job_ptr job = again_is_due(now) ? take_again(again_.begin()) : pop_fresh();
  job->withdrawn.reset();
  if (budget_ && !job->is_retry) budget_->deposit(now);
  return job;
}

job_ptr origin_state::remove(const job& waiting) {
  return refunded(take_again(again_.find({waiting.not_before, waiting.ticket})));
}

job_ptr origin_state::pop_any() {
  if (empty()) return nullptr;
  return again_.empty() ? pop_fresh() : refunded(take_again(again_.begin()));
}

bool origin_state::charge_retry(job& again, core::instant now) {
  if (!budget_) return true;
  const core::withdrawal came_to = budget_->withdraw(now);
  if (came_to == core::withdrawal::granted) again.withdrawn = now;
  return came_to != core::withdrawal::refused;
}

std::optional<obstacle> origin_state::find_breaker_obstacle(core::instant now) const {
  if (!refuses()) return std::nullopt;
  switch (breaker_->state()) {
    case core::circuit_state::closed:
      return std::nullopt;
    case core::circuit_state::open:
      if (now >= breaker_->open_until()) return std::nullopt;
      return obstacle{wait_reason::circuit_open, breaker_->open_until()};
    case core::circuit_state::half_open:
      if (breaker_->in_flight() < breaker_->places()) return std::nullopt;
      return obstacle{wait_reason::circuit_open};
    case core::circuit_state::isolated:
      return obstacle{wait_reason::circuit_open};
  }
  return std::nullopt;
}

std::optional<obstacle> origin_state::find_pace_obstacle(core::instant now) const {
  const core::instant ready = pace_.ready_at(now);
  if (ready <= now) return std::nullopt;
  return obstacle{now < pace_.held_until() ? wait_reason::retry_after : wait_reason::pace, ready};
}

std::optional<obstacle> origin_state::find_obstacle(core::instant now) {
  std::optional<obstacle> found;
  const bool hedge = hedge_is_due();
  if (!hedge && empty()) {
    found = obstacle{};
  } else if (!hedge && fresh_.empty() && !again_is_due(now)) {
    found = obstacle{wait_reason::backoff, again_.begin()->first.not_before};
  } else if (now < held_until_) {
    found = obstacle{wait_reason::retry_after, held_until_};
  } else if (const auto breaker = find_breaker_obstacle(now)) {
    found = breaker;
  } else if (in_flight_ >= concurrency()) {
    found = obstacle{wait_reason::concurrency};
  } else if (const auto pace = find_pace_obstacle(now)) {
    found = pace;
  } else if (!pacer_.ready(now)) {
    return obstacle{wait_reason::rate_limit, pacer_.due()};
  }
  // Nobody waits for tokens while something else is in the way.
  if (found) pacer_.rest();
  return found;
}

void origin_state::push(hedge_ask& ask) {
  ask.turn = hedges_.insert(hedges_.end(), &ask);
  ask.now = hedge_ask::stage::waiting;
}

hedge_ask& origin_state::admit_hedge(core::instant now) {
  hedge_ask& first = *hedges_.front();
  hedges_.pop_front();
  first.now = hedge_ask::stage::going;
  pacer_.take(now);
  first.pace = pace_.send(now);
  ++in_flight_;
  return first;
}

void origin_state::remove(hedge_ask& ask, core::instant now) {
  if (ask.now == hedge_ask::stage::waiting) hedges_.erase(ask.turn);
  if (ask.now == hedge_ask::stage::going) {
    --in_flight_;
    // What it came to is told with its attempt, or was not waited for.
    pace_.settle(ask.pace, origin_pace::sign::ignored, {}, now);
  }
  ask.now = hedge_ask::stage::idle;
}

origin_state::admitted origin_state::admit(core::instant now) {
  pacer_.take(now);
  ++in_flight_;
  admitted made{{.since = now, .in_flight = in_flight_, .pace = pace_.send(now)}, std::nullopt};
  if (breaker_) {
    const core::admission by_breaker = breaker_->enter(now);
    made.place.generation = by_breaker.generation;
    made.transition = by_breaker.transition;
  }
  return made;
}

void origin_state::take_note(const attempt_end& end, core::verdict v, core::instant now) {
  if (v == core::verdict::success) health_.on_success(now);
  if (v == core::verdict::failure) health_.on_failure(end.how, end.what_failed);
}

void origin_state::take_note(const core::circuit_transition& transition, core::instant now) {
  if (!refuses()) return;
  if (transition.to == core::circuit_state::closed) health_.on_closed();
  if (transition.to == core::circuit_state::open)
    health_.on_open(breaker_->statistics(now).reopenings + 1, now);
}

origin_state::settled origin_state::settle(const place& held, const attempt_end& end, core::instant now) {
  settled came_to;
  --in_flight_;
  came_to.refused_for_load = health_.is_for_load(end.refusal, pace_.gap(), now);
  // The breaker is for origins that are ill, not for those that are full.
  const core::verdict v = came_to.refused_for_load ? core::verdict::ignored : end.verdict;
  if (came_to.refused_for_load) {
    health_.on_refusal(end.refusal, end.asked, end.what_failed, now);
    pace_.settle(held.pace, origin_pace::sign::refused, end.facts, now);
  } else {
    take_note(end, v, now);
    const bool served = end.answered && end.refusal == load_refusal::none;
    pace_.settle(held.pace, served ? origin_pace::sign::admitted : origin_pace::sign::ignored, end.facts, now);
  }
  if (budget_) budget_->record(v, now);
  if (adaptive_ && end.load != load_sign::none) {
    const std::int64_t before = adaptive_->limit();
    const bool dropped = end.load == load_sign::dropped;
    adaptive_->sample(now - held.since, static_cast<std::int64_t>(held.in_flight), dropped, now);
    came_to.limit_changed = adaptive_->limit() != before;
  }
  if (!breaker_) return came_to;
  came_to.transition = breaker_->settle({.generation = held.generation, .v = v, .started = held.since, .now = now});
  if (came_to.transition) take_note(*came_to.transition, now);
  return came_to;
}

bool origin_state::pristine(core::instant now) {
  if (now < held_until_ || !pacer_.full(now) || !pace_.is_fresh() || !health_.is_fresh()) return false;
  if (adaptive_ && adaptive_->limit() != adaptive_->options().initial) return false;
  if (budget_ && budget_->balance(now) < core::retry_budget_machine(budget_->options()).balance(now))
    return false;
  return !breaker_ || (breaker_->state() == core::circuit_state::closed && breaker_->failure_count() == 0);
}

}  // namespace dspu::app
