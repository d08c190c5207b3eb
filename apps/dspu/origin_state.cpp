#include "dspu/origin_state.hpp"

#include <algorithm>

namespace dspu::app {

origin_state::origin_state(std::string name, const options& limits, core::instant now)
    : ledger(now), name_(std::move(name)), concurrency_(limits.concurrency), pacer_(limits.rate, now) {
  if (limits.breaker) breaker_.emplace(*limits.breaker);
}

void origin_state::push(job_ptr job, std::uint64_t ticket, core::instant now) {
  job->ticket = ticket;
  job->queued_at = now;
  if (job->started_at) {
    const place where{job->not_before, ticket};
    again_.emplace(where, std::move(job));
  } else {
    const place where{core::instant::min(), ticket};
    fresh_.emplace_hint(fresh_.end(), where, std::move(job));
  }
}

job_ptr origin_state::take(line& from, line::iterator which) {
  job_ptr job = std::move(which->second);
  from.erase(which);
  return job;
}

job_ptr origin_state::pop(core::instant now) {
  line& from = again_is_due(now) ? again_ : fresh_;
  return take(from, from.begin());
}

job_ptr origin_state::remove(const job& waiting) {
  return take(again_, again_.find({waiting.not_before, waiting.ticket}));
}

job_ptr origin_state::pop_any() {
  if (empty()) return nullptr;
  line& from = again_.empty() ? fresh_ : again_;
  return take(from, from.begin());
}

std::optional<obstacle> origin_state::find_breaker_obstacle(core::instant now) const {
  if (!breaker_) return std::nullopt;
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

std::optional<obstacle> origin_state::find_obstacle(core::instant now) {
  std::optional<obstacle> found;
  if (empty()) {
    found = obstacle{};
  } else if (fresh_.empty() && !again_is_due(now)) {
    found = obstacle{wait_reason::backoff, again_.begin()->first.not_before};
  } else if (now < held_until_) {
    found = obstacle{wait_reason::retry_after, held_until_};
  } else if (const auto breaker = find_breaker_obstacle(now)) {
    found = breaker;
  } else if (in_flight_ >= concurrency_) {
    found = obstacle{wait_reason::concurrency};
  } else if (!pacer_.ready(now)) {
    return obstacle{wait_reason::rate_limit, pacer_.due()};
  }
  // Nobody waits for tokens while something else is in the way.
  if (found) pacer_.rest();
  return found;
}

core::admission origin_state::admit(core::instant now) {
  pacer_.take(now);
  ++in_flight_;
  return breaker_ ? breaker_->enter(now) : core::admission{true, 0, std::nullopt, std::nullopt};
}

std::optional<core::circuit_transition> origin_state::settle(std::uint64_t generation, core::verdict verdict,
                                                             core::instant now) {
  --in_flight_;
  if (!breaker_) return std::nullopt;
  const bool was_parked = parked();
  const auto transition = breaker_->settle(generation, verdict, now);
  if (!was_parked && parked()) parked_since_ = now;
  return transition;
}

core::instant origin_state::fresh_deadline(core::duration deadline) const {
  if (!parked() || fresh_.empty()) return core::instant::max();
  const core::instant since = std::max(parked_since_, fresh_.begin()->second->queued_at);
  return core::add_saturating(since, deadline);
}

job_ptr origin_state::pop_fresh() { return take(fresh_, fresh_.begin()); }

bool origin_state::pristine(core::instant now) {
  if (now < held_until_ || !pacer_.full(now)) return false;
  return !breaker_ || (breaker_->state() == core::circuit_state::closed && breaker_->failure_count() == 0);
}

}  // namespace dspu::app
