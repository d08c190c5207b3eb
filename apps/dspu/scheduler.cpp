#include "dspu/scheduler.hpp"

#include <algorithm>
#include <tuple>

namespace dspu::app {

// With more origins than that, what is kept beside them is let go when they have nothing to do.
constexpr std::size_t origins_with_extras = 1000;

struct origin_entry {
  origin_entry(std::string name, const origin_state::options& limits, core::instant now)
      : state(std::move(name), limits, now) {}

  origin_state state;
  bool ready = false;
  std::list<origin_entry*>::iterator turn;       // in ready_ if it is, else in resting_
  wait_totals front_before;                      // the front's ledger when it became ready
  core::instant look_at = core::instant::max();  // its key in timed_, unless max
};

scheduler::scheduler(const scheduler_options& options, core::instant now, listener& told)
    : options_(options), told_(told), pacer_(options.rate, now), front_(now) {
  options_.origin.health.deadline = options_.deadline;
  // Limits that cannot be kept are found here and not at the first request.
  const origin_state trial("", options_.origin, now);
  for (const auto& [name, rate] : options_.origin_rates) pacer(rate, now);
}

scheduler::~scheduler() = default;

origin_entry& scheduler::entry_for(const std::string& name, core::instant now) {
  const auto found = origins_.find(name);
  if (found != origins_.end()) return *found->second;
  if (origins_.size() >= origins_to_sweep_at_) forget_idle_origins(now);
  origin_state::options limits = options_.origin;
  if (const auto stated = options_.origin_rates.find(name); stated != options_.origin_rates.end())
    limits.rate = stated->second;
  auto made = std::make_unique<origin_entry>(name, limits, now);
  origin_entry& e = *origins_.emplace(name, std::move(made)).first->second;
  e.turn = resting_.insert(resting_.end(), &e);
  return e;
}

// Millions of hosts with a request or two each must not stay in memory.
void scheduler::forget_idle_origins(core::instant now) {
  std::erase_if(origins_, [&](auto& named) {
    origin_entry& e = *named.second;
    if (!e.state.forgettable(now)) return false;
    forgotten_ += waits_of(e, now);
    resting_.erase(e.turn);
    return true;
  });
  origins_to_sweep_at_ = std::max<std::size_t>(1024, 2 * origins_.size());
}

void scheduler::add(job_ptr job, core::instant now) {
  origin_entry& e = entry_for(job->origin, now);
  ++waiting_;
  if (e.state.held_until() > core::add_saturating(now, options_.retry_after_max)) {
    --waiting_;
    refused_.push_back({std::move(job), outcome::retry_after_too_long});
    return;
  }
  job->origin_waits_before = waits_of(e, now);
  const std::uint64_t ticket = next_ticket_++;
  if (job->started_at && job->deadline != core::instant::max()) {
    deadlines_.insert({job->deadline, ticket, &e, job.get()});
  }
  e.state.push(std::move(job), ticket, now);
  place(e, now);
}

// What the origin's requests have waited for so far, each reason by itself.
wait_totals scheduler::waits_of(const origin_entry& e, core::instant now) const {
  wait_totals totals = e.state.ledger.at(now);
  if (e.ready) totals += front_.at(now) - e.front_before;
  return totals;
}

void scheduler::leave_turn(origin_entry& e, core::instant now) {
  if (!e.ready) return;
  e.state.ledger.add(front_.at(now) - e.front_before);
  resting_.splice(resting_.end(), ready_, e.turn);
  e.ready = false;
}

void scheduler::look_at(origin_entry& e, core::instant when) {
  if (e.look_at == when) return;
  if (e.look_at != core::instant::max()) timed_.erase({e.look_at, &e});
  if (when != core::instant::max()) timed_.insert({when, &e});
  e.look_at = when;
}

// When there will be no hope left for those who wait.
core::instant hopeless_at(const origin_entry& e, core::instant now) {
  const core::instant at = e.state.health().hopeless_at();
  return e.state.empty() || at <= now ? core::instant::max() : at;
}

// Puts the origin where it belongs: among those whose turn comes, and among those to look at later.
void scheduler::place(origin_entry& e, core::instant now) {
  refuse_hopeless(e, now);
  const auto obstacle = e.state.find_obstacle(now);
  if (obstacle || !e.ready) {
    leave_turn(e, now);
    e.state.ledger.turn_to(obstacle ? obstacle->reason : wait_reason::none, now);
  }
  if (!obstacle && !e.ready) {
    e.front_before = front_.at(now);
    ready_.splice(ready_.end(), resting_, e.turn);
    e.ready = true;
  }
  look_at(e, std::min(obstacle ? obstacle->until : core::instant::max(), hopeless_at(e, now)));
}

// Whoever cannot go at once fails if there is no hope for the origin. Who can go, and who is out, finds out whether that
// has changed.
void scheduler::refuse_hopeless(origin_entry& e, core::instant now) {
  if (e.state.empty() || e.state.in_flight() > 0) return;
  const auto hopeless = e.state.health().hopeless(now);
  if (hopeless && e.state.find_obstacle(now)) refuse_all(e, hopeless->why, hopeless->text);
}

void scheduler::refuse_all(origin_entry& e, outcome why, const std::string& text) {
  while (job_ptr job = e.state.pop_any()) {
    deadlines_.erase({job->deadline, job->ticket, &e, job.get()});
    refused_.push_back({std::move(job), why, text});
    --waiting_;
  }
}

void scheduler::refuse_late(core::instant now) {
  while (!deadlines_.empty() && deadlines_.begin()->deadline <= now) {
    const late expired = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    const outcome why = expired.where->state.parked() ? outcome::circuit_open : outcome::deadline;
    refused_.push_back({expired.where->state.remove(*expired.which), why});
    --waiting_;
    place(*expired.where, now);
  }
}

std::optional<refusal> scheduler::next_refusal(core::instant now) {
  refuse_late(now);
  wake_due(now);
  if (refused_.empty()) return std::nullopt;
  refusal first = std::move(refused_.front());
  refused_.pop_front();
  return first;
}

void scheduler::wake_due(core::instant now) {
  while (!timed_.empty() && timed_.begin()->first <= now) {
    origin_entry& e = *timed_.begin()->second;
    place(e, now);
    // A limiter asked a hair too early would name the same instant again.
    if (e.look_at <= now) break;
  }
}

std::optional<dispatch> scheduler::next(core::instant now) {
  wake_due(now);
  while (!ready_.empty()) {
    if (in_flight_ >= options_.concurrency) {
      block(wait_reason::concurrency, now);
      pacer_.rest();
      return std::nullopt;
    }
    if (!pacer_.ready(now)) {
      block(wait_reason::rate_limit, now);
      return std::nullopt;
    }
    origin_entry& e = *ready_.front();
    if (const auto obstacle = e.state.find_obstacle(now)) {
      place(e, now);
      continue;
    }
    return e.state.hedge_is_due() ? dispatch_hedge(e, now) : dispatch_from(e, now);
  }
  block(wait_reason::none, now);
  pacer_.rest();
  return std::nullopt;
}

dispatch scheduler::dispatch_from(origin_entry& e, core::instant now) {
  block(wait_reason::none, now);
  pacer_.take(now);
  const origin_state::admitted admitted = e.state.admit(now);
  ++in_flight_;
  --waiting_;
  dispatch d{.job = e.state.pop(now), .permit = {&e, admitted.place}};
  if (d.job->started_at) deadlines_.erase({d.job->deadline, d.job->ticket, &e, d.job.get()});
  note_wait(d, e, now);
  tell_of_breaker(e, admitted.transition, now);
  // To the back of those whose turn comes.
  leave_turn(e, now);
  place(e, now);
  return d;
}

dispatch scheduler::dispatch_hedge(origin_entry& e, core::instant now) {
  block(wait_reason::none, now);
  pacer_.take(now);
  ++in_flight_;
  dispatch d{.hedge = &e.state.admit_hedge(now)};
  leave_turn(e, now);
  place(e, now);
  return d;
}

bool scheduler::ask(hedge_ask& hedge, const permit& beside, core::instant now) {
  if (!beside.origin->state.charge_hedge(now)) return false;
  hedge.charged = now;
  beside.origin->state.push(hedge);
  place(*beside.origin, now);
  return true;
}

std::unique_ptr<origin_extra>& scheduler::extra_of(const permit& right) { return right.origin->state.extra; }

void scheduler::take_back(hedge_ask& hedge, const permit& beside, core::instant now) {
  if (hedge.now == hedge_ask::stage::going) --in_flight_;
  if (hedge.now == hedge_ask::stage::waiting) beside.origin->state.refund_hedge(hedge.charged);
  beside.origin->state.remove(hedge, now);
  place(*beside.origin, now);
}

// How long the request has waited and mostly for what. While its own backoff ran, it did not wait for the
// origin.
void scheduler::note_wait(dispatch& d, origin_entry& e, core::instant now) const {
  dspu::app::job& job = *d.job;
  d.wait = now - job.queued_at;
  const core::instant backoff_end = std::clamp(job.not_before, job.queued_at, now);
  const core::duration after_backoff = now - backoff_end;
  const wait_totals waits = waits_of(e, now) - job.origin_waits_before;
  core::duration longest = backoff_end - job.queued_at;
  if (longest > core::duration::zero()) d.why = wait_reason::backoff;
  for (const wait_reason reason : {wait_reason::concurrency, wait_reason::rate_limit, wait_reason::pace,
                                   wait_reason::retry_after, wait_reason::circuit_open}) {
    const core::duration waited = std::min(waits[reason], after_backoff);
    if (reason == wait_reason::rate_limit || reason == wait_reason::pace) job.limiter_wait += waited;
    if (waited > longest) {
      longest = waited;
      d.why = reason;
    }
  }
}

core::instant scheduler::wake_at() const {
  if (!refused_.empty()) return core::instant::min();
  core::instant at = core::instant::max();
  if (!timed_.empty()) at = timed_.begin()->first;
  if (!deadlines_.empty()) at = std::min(at, deadlines_.begin()->deadline);
  if (!ready_.empty() && front_.reason() == wait_reason::rate_limit) at = std::min(at, pacer_.due());
  return at;
}

void scheduler::tell_of_breaker(const origin_entry& e, std::optional<core::circuit_transition> transition,
                                core::instant now) {
  if (transition) told_.on_breaker(e.state.name(), *transition, e.state.breaker_statistics(now), now);
}

void scheduler::tell_of_pace(origin_entry& e, core::instant now) {
  if (const auto news = e.state.pace_news(now)) told_.on_pace(e.state.name(), *news, now);
}

settlement scheduler::settle(const permit& right, const attempt_end& end, core::instant now) {
  origin_entry& e = *right.origin;
  --in_flight_;
  const auto came_to = e.state.settle(right.place, end, now);
  tell_of_breaker(e, came_to.transition, now);
  if (origins_.size() > origins_with_extras && e.state.empty() && e.state.in_flight() == 0)
    e.state.extra.reset();
  if (came_to.limit_changed)
    told_.on_limit(e.state.name(), e.state.concurrency(), right.place.in_flight, now);
  tell_of_pace(e, now);
  place(e, now);
  return {came_to.refused_for_load, e.state.pace().admitted()};
}

void scheduler::hold(const permit& right, core::duration duration, core::instant now) {
  origin_entry& e = *right.origin;
  const core::instant until = core::add_saturating(now, duration);
  if (until <= e.state.held_until()) return;
  // All that were out when the limit was passed come back with the same wish: that is news once.
  const bool news = now >= e.state.held_until() || until - e.state.held_until() >= std::chrono::seconds(1);
  e.state.hold(until);
  if (news) told_.on_hold(e.state.name(), duration, now);
  if (duration > options_.retry_after_max) refuse_all(e, outcome::retry_after_too_long, {});
  place(e, now);
}

bool scheduler::charge_retry(const permit& right, job& again, core::instant now) {
  return right.origin->state.charge_retry(again, now);
}

std::string_view scheduler::origin_of(const permit& right) const { return right.origin->state.name(); }

job_ptr scheduler::drop_any() {
  if (!refused_.empty()) {
    job_ptr job = std::move(refused_.front().job);
    refused_.pop_front();
    return job;
  }
  for (auto& [name, e] : origins_) {
    job_ptr job = e->state.pop_any();
    if (!job) continue;
    deadlines_.erase({job->deadline, job->ticket, e.get(), job.get()});
    --waiting_;
    return job;
  }
  return nullptr;
}

origin_census scheduler::census(core::instant now) const {
  origin_census count;
  for (const auto& [name, e] : origins_) {
    ++count.known;
    if (now < e->state.held_until()) ++count.held;
    if (e->state.circuit() != core::circuit_state::closed) ++count.open;
    const bool at_rate = e->state.ledger.reason() == wait_reason::rate_limit ||
                         (e->ready && front_.reason() == wait_reason::rate_limit);
    if (at_rate) ++count.waiting_for_rate;
    const pace_report pace = e->state.pace().report();
    if (!pace.learnt.rate && !pace.learnt.concurrency) continue;
    ++count.paced;
    count.pace += pace.learnt.rate.value_or(0);
    if (count.paced == 1) count.one_of_them = {e->state.name(), pace};
  }
  return count;
}

std::vector<named_pace> scheduler::paces() const {
  std::vector<named_pace> found;
  for (const auto& [name, e] : origins_) {
    const pace_report pace = e->state.pace().report();
    if (pace.refused > 0 || pace.learnt.rate || pace.learnt.concurrency) found.push_back({name, pace});
  }
  std::ranges::sort(found, [](const named_pace& a, const named_pace& b) {
    return std::tie(b.report.refused, a.origin) < std::tie(a.report.refused, b.origin);
  });
  return found;
}

wait_totals scheduler::totals(core::instant now) const {
  wait_totals sum = forgotten_;
  for (const auto& [name, e] : origins_) sum += waits_of(*e, now);
  return sum;
}

}  // namespace dspu::app
