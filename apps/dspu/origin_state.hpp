// Everything that is kept for one origin: who waits for it, and what keeps them waiting.
#pragma once

#include "dspu/classify.hpp"
#include "dspu/core/adaptive_limit.hpp"
#include "dspu/core/breaker_machine.hpp"
#include "dspu/core/retry_budget.hpp"
#include "dspu/hedge_ask.hpp"
#include "dspu/job.hpp"
#include "dspu/origin_health.hpp"
#include "dspu/origin_pace.hpp"
#include "dspu/pacer.hpp"
#include "dspu/wait_ledger.hpp"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace dspu::app {

// Why an origin's next request cannot go, and when to look again; instant::max() where only an event changes
// that.
struct obstacle {
  wait_reason reason = wait_reason::none;
  core::instant until = core::instant::max();
};

// What an attempt holds of its origin while it is out.
struct place {
  std::uint64_t generation = 0;  // of the breaker that let it go
  core::instant since{};
  std::size_t in_flight = 0;  // itself among them
  origin_pace::machine::call pace{};
};

// What it came to.
struct attempt_end {
  core::verdict verdict = core::verdict::ignored;
  load_sign load = load_sign::none;
  load_refusal refusal = load_refusal::none;
  bool answered = false;  // whatever the status
  core::limit_facts facts{};
  core::duration asked{};         // by a refusal: to stay away for so long
  outcome how = outcome::ok;      // of the request, if nothing followed
  std::string what_failed{};      // if it did
};

// What somebody else keeps of an origin, as long as the scheduler does.
class origin_extra {
 public:
  virtual ~origin_extra() = default;
};

class origin_state {
 public:
  struct options {
    std::size_t concurrency = 8;
    std::optional<rate_spec> rate = std::nullopt;
    std::optional<core::breaker_options> breaker = core::breaker_options{};
    // Instead of `concurrency`.
    std::optional<core::adaptive_limit_options> adaptive = std::nullopt;
    std::optional<core::retry_budget_options> retry_budget = std::nullopt;
    // The pace is learnt from refusals for load.
    std::optional<core::adaptive_rate_options> pace = std::nullopt;
    origin_health::options health{};
    std::uint64_t seed = 1;
  };

  origin_state(std::string name, const options& limits, core::instant now);

  const std::string& name() const { return name_; }

  // Requests that have been sent before go first, when their backoff is over; the others in order of arrival.
  void push(job_ptr job, std::uint64_t ticket, core::instant now);
  bool empty() const { return fresh_.empty() && again_.empty(); }
  std::size_t waiting() const { return fresh_.size() + again_.size(); }
  job_ptr pop(core::instant now);
  // Takes a request that has been sent before out of the line.
  job_ptr remove(const job& waiting);
  // Takes any request out of the line; nothing if none waits.
  job_ptr pop_any();

  // Hedges go before all requests, but not while the breaker has doubts: then what there is to send are
  // probes.
  void push(hedge_ask& ask);
  bool hedge_is_due() const { return !hedges_.empty() && !parked(); }
  // Requires: hedge_is_due(), and no obstacle. Takes what it needs but a probe's place.
  hedge_ask& admit_hedge(core::instant now);
  // It is over, or will not come to be.
  void remove(hedge_ask& ask, core::instant now);

  // Nothing if a request, or a hedge, can go now.
  std::optional<obstacle> find_obstacle(core::instant now);
  // Takes what one attempt needs. Requires: no obstacle.
  struct admitted {
    dspu::app::place place;
    std::optional<core::circuit_transition> transition;
  };
  admitted admit(core::instant now);
  struct settled {
    std::optional<core::circuit_transition> transition;
    bool limit_changed = false;
    bool refused_for_load = false;
  };
  settled settle(const place& held, const attempt_end& end, core::instant now);

  // Whether `job` may be sent once more; without a budget always. It is charged for it until it goes, or
  // leaves the line.
  bool charge_retry(job& again, core::instant now);
  bool charge_hedge(core::instant now) { return !budget_ || budget_->try_withdraw(now); }
  void refund_hedge(core::instant charged) {
    if (budget_) budget_->refund(charged);
  }

  // Nothing goes before `until`. A hold only ever grows; nothing but time ends it.
  void hold(core::instant until) { held_until_ = std::max(held_until_, until); }
  core::instant held_until() const { return held_until_; }

  // Parked: behind a breaker that is not closed.
  bool parked() const { return refuses() && breaker_->state() != core::circuit_state::closed; }
  const origin_health& health() const { return health_; }
  const origin_pace& pace() const { return pace_; }
  std::optional<pace_report> pace_news(core::instant now) { return pace_.news(now); }

  std::size_t in_flight() const { return in_flight_; }
  std::size_t concurrency() const {
    return adaptive_ ? static_cast<std::size_t>(adaptive_->limit()) : concurrency_;
  }
  // Requires: a breaker.
  core::breaker_statistics breaker_statistics(core::instant now) const { return breaker_->statistics(now); }
  core::circuit_state circuit() const { return breaker_ ? breaker_->state() : core::circuit_state::closed; }
  // Nothing about it is worth keeping.
  bool forgettable(core::instant now) { return empty() && in_flight_ == 0 && pristine(now); }

  wait_ledger ledger;
  std::unique_ptr<origin_extra> extra;

 private:
  struct turn {
    core::instant not_before;
    std::uint64_t ticket;
    auto operator<=>(const turn&) const = default;
  };
  job_ptr pop_fresh();
  job_ptr take_again(std::map<turn, job_ptr>::iterator which);
  // The job, which is not going to be sent, is not charged for a retry any more.
  job_ptr refunded(job_ptr job);
  bool again_is_due(core::instant now) const {
    return !again_.empty() && again_.begin()->first.not_before <= now;
  }
  // Whether there is a breaker that does more than watch.
  bool refuses() const { return breaker_ && !breaker_->options().metrics_only; }
  std::optional<obstacle> find_breaker_obstacle(core::instant now) const;
  std::optional<obstacle> find_pace_obstacle(core::instant now) const;
  void take_note(const attempt_end& end, core::verdict v, core::instant now);
  void take_note(const core::circuit_transition& transition, core::instant now);
  bool pristine(core::instant now);

  std::string name_;
  std::size_t concurrency_;
  pacer pacer_;
  origin_pace pace_;
  origin_health health_;
  std::optional<core::breaker_machine> breaker_;
  std::optional<core::adaptive_limit> adaptive_;
  std::optional<core::retry_budget_machine> budget_;
  std::deque<job_ptr> fresh_;  // in order of arrival
  std::map<turn, job_ptr> again_;  // by the end of the backoff
  std::list<hedge_ask*> hedges_;
  std::size_t in_flight_ = 0;
  core::instant held_until_ = core::instant::min();
};

}  // namespace dspu::app
