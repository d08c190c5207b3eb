// Decides which request goes next, and when. No clock, no sockets: the instant is an argument.
//
// Every origin has a line of its own, and an origin whose next request cannot go (held by Retry-After, open
// breaker, no token, all its connections busy) keeps nobody but its own line waiting. Origins that can go
// take turns; the rate and the concurrency of the whole run are asked last. So a dead host costs the others
// nothing.
//
//   read ──▶ [origin's line] ──▶ (hold, breaker, host concurrency, host rate) ──▶ turn ──▶ (rate, -j) ──▶
//   attempt
//                  ▲                                                                                        │
//                  └──────────────────────── backoff, redirect ─────────────────────────────────────────────┘
#pragma once

#include "dspu/job.hpp"
#include "dspu/origin_state.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dspu::app {

struct scheduler_options {
  std::size_t concurrency = 50;
  std::optional<rate_spec> rate = std::nullopt;
  origin_state::options origin{};
  std::map<std::string, rate_spec> origin_rates{};  // instead of origin.rate, by the origin's name
  core::duration retry_after_max = std::chrono::minutes(5);
  core::duration deadline = core::duration::max();  // of a request; goes before that of origin.health
};

struct origin_entry;

// The right to make one attempt; given back with settle().
struct permit {
  origin_entry* origin = nullptr;
  dspu::app::place place{};
};

struct dispatch {
  hedge_ask* hedge = nullptr;  // it goes, and there is nothing else
  job_ptr job{};
  dspu::app::permit permit{};
  core::duration wait{};  // since it was queued
  wait_reason why = wait_reason::none;
};

struct refusal {
  job_ptr job;
  outcome why = outcome::deadline;
  std::string text{};  // if the origin is why, and not the request
};

// What an attempt's end means to its request.
struct settlement {
  bool refused_for_load = false;
  std::uint64_t admitted = 0;  // by the origin so far
};

struct origin_census {
  std::size_t known = 0;
  std::size_t waiting_for_rate = 0;
  std::size_t held = 0;
  std::size_t open = 0;
  std::size_t paced = 0;    // at which a limit was found
  double pace = 0;          // of these together, requests a second
  named_pace one_of_them{};  // if there is just one
};

class scheduler {
 public:
  class listener {
   public:
    virtual ~listener() = default;
    virtual void on_hold(std::string_view origin, core::duration duration, core::instant now) = 0;
    virtual void on_breaker(std::string_view origin, core::circuit_transition transition,
                            const core::breaker_statistics& after, core::instant now) = 0;
    // The limit that --adaptive-concurrency learns.
    virtual void on_limit(std::string_view origin, std::size_t limit, std::size_t in_flight,
                          core::instant now) = 0;
    // The pace that was learnt is another.
    virtual void on_pace(std::string_view origin, const pace_report& learnt, core::instant now) = 0;
  };

  // Throws: std::invalid_argument for limits that cannot be kept.
  scheduler(const scheduler_options& options, core::instant now, listener& told);
  ~scheduler();

  void add(job_ptr job, core::instant now);

  // The request to send now, if one can be. If none can: call again at wake_at(), or after add or settle.
  std::optional<dispatch> next(core::instant now);
  // The next of the requests that have waited for too long, or in vain. Ask before next().
  std::optional<refusal> next_refusal(core::instant now);
  core::instant wake_at() const;

  settlement settle(const permit& right, const attempt_end& end, core::instant now);
  // Whether `again` may be sent once more, as far as its origin's retry budget goes; then it is charged to
  // it.
  bool charge_retry(const permit& right, job& again, core::instant now);
  // A hedge of the attempt that has this permit asks to go: next() brings it. Each is taken back before the
  // attempt is settled, whether it went or not. False if the retry budget of the origin has nothing left for
  // it.
  bool ask(hedge_ask& hedge, const permit& beside, core::instant now);
  void take_back(hedge_ask& hedge, const permit& beside, core::instant now);

  // The origin asked to be left alone until `until`. If that is further off than retry_after_max, all who
  // wait for it are refused.
  void hold(const permit& right, core::duration duration, core::instant now);
  std::unique_ptr<origin_extra>& extra_of(const permit& right);
  // Valid as long as the attempt is out.
  std::string_view origin_of(const permit& right) const;

  // Takes out a request that waits, whichever; nothing if none does.
  job_ptr drop_any();

  std::size_t waiting() const { return waiting_; }
  std::size_t in_flight() const { return in_flight_; }
  origin_census census(core::instant now) const;
  // Of origins that refused something or at which a limit was found; most refusals first.
  std::vector<named_pace> paces() const;
  // Over all origins, how long each had requests to send and was kept from it.
  wait_totals totals(core::instant now) const;

 private:
  origin_entry& entry_for(const std::string& name, core::instant now);
  void forget_idle_origins(core::instant now);
  void place(origin_entry& e, core::instant now);
  void leave_turn(origin_entry& e, core::instant now);
  void look_at(origin_entry& e, core::instant when);
  void refuse_hopeless(origin_entry& e, core::instant now);
  void refuse_all(origin_entry& e, outcome why, const std::string& text);
  void wake_due(core::instant now);
  void refuse_late(core::instant now);
  void block(wait_reason reason, core::instant now) { front_.turn_to(reason, now); }
  dispatch dispatch_from(origin_entry& e, core::instant now);
  dispatch dispatch_hedge(origin_entry& e, core::instant now);
  void tell_of_pace(origin_entry& e, core::instant now);
  void tell_of_breaker(const origin_entry& e, std::optional<core::circuit_transition> transition,
                       core::instant now);
  void note_wait(dispatch& d, origin_entry& e, core::instant now) const;
  wait_totals waits_of(const origin_entry& e, core::instant now) const;

  scheduler_options options_;
  listener& told_;
  pacer pacer_;
  wait_ledger front_;  // what keeps those waiting that could go as far as their origin is concerned
  std::unordered_map<std::string, std::unique_ptr<origin_entry>> origins_;
  std::size_t origins_to_sweep_at_ = 1024;
  std::list<origin_entry*> ready_;
  std::list<origin_entry*> resting_;  // all others
  std::set<std::pair<core::instant, origin_entry*>> timed_;
  struct late {
    core::instant deadline;
    std::uint64_t ticket;
    origin_entry* where;
    const dspu::app::job* which;
    bool operator<(const late& o) const {
      return std::pair(deadline, ticket) < std::pair(o.deadline, o.ticket);
    }
  };
  std::set<late> deadlines_;  // of requests that wait and have been sent before
  std::deque<refusal> refused_;
  std::uint64_t next_ticket_ = 0;
  std::size_t waiting_ = 0;
  std::size_t in_flight_ = 0;
  wait_totals forgotten_;
};

}  // namespace dspu::app
