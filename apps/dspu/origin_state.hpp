// Everything that is kept for one origin: who waits for it, and what keeps them waiting.
#pragma once

#include "dspu/core/breaker_machine.hpp"
#include "dspu/job.hpp"
#include "dspu/pacer.hpp"
#include "dspu/wait_ledger.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace dspu::app {

// Why an origin's next request cannot go, and when to look again; instant::max() where only an event changes
// that.
struct obstacle {
  wait_reason reason = wait_reason::none;
  core::instant until = core::instant::max();
};

class origin_state {
 public:
  struct options {
    std::size_t concurrency = 8;
    std::optional<rate_spec> rate = std::nullopt;
    std::optional<core::breaker_options> breaker = core::breaker_options{};
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

  // Nothing if a request can go now.
  std::optional<obstacle> find_obstacle(core::instant now);
  // Takes what one attempt needs. Requires: no obstacle. Returns the breaker's admission.
  core::admission admit(core::instant now);
  std::optional<core::circuit_transition> settle(std::uint64_t generation, core::verdict verdict,
                                                 core::instant now);

  // Nothing goes before `until`. A hold only ever grows; nothing but time ends it.
  void hold(core::instant until) { held_until_ = std::max(held_until_, until); }
  core::instant held_until() const { return held_until_; }

  // Parked: behind a breaker that is not closed. A request that has never been sent has its deadline run only
  // so long.
  bool parked() const { return breaker_ && breaker_->state() != core::circuit_state::closed; }
  // When the deadline of the longest waiting of those passes; instant::max() if none does.
  core::instant fresh_deadline(core::duration deadline) const;
  job_ptr pop_fresh();

  std::size_t in_flight() const { return in_flight_; }
  core::circuit_state circuit() const { return breaker_ ? breaker_->state() : core::circuit_state::closed; }
  // Nothing about it is worth keeping.
  bool forgettable(core::instant now) { return empty() && in_flight_ == 0 && pristine(now); }

  wait_ledger ledger;

 private:
  struct place {
    core::instant not_before;
    std::uint64_t ticket;
    auto operator<=>(const place&) const = default;
  };
  using line = std::map<place, job_ptr>;

  static job_ptr take(line& from, line::iterator which);
  bool again_is_due(core::instant now) const {
    return !again_.empty() && again_.begin()->first.not_before <= now;
  }
  std::optional<obstacle> find_breaker_obstacle(core::instant now) const;
  bool pristine(core::instant now);

  std::string name_;
  std::size_t concurrency_;
  pacer pacer_;
  std::optional<core::breaker_machine> breaker_;
  line fresh_;  // by ticket alone
  line again_;  // by the end of the backoff
  std::size_t in_flight_ = 0;
  core::instant held_until_ = core::instant::min();
  core::instant parked_since_{};
};

}  // namespace dspu::app
