// When the next call may go, learnt from which calls a server admits and which it refuses for load.
//
//   adaptive_rate_machine pace({}, now);
//   if (pace.ready_at(now) <= now) {
//     const auto call = pace.send(now);         // … the answer comes:
//     pace.admitted(call, now);                 // any answer that is no refusal for load, also a failure
//     pace.refused(call, now, {.retry_after = 1s});
//     pace.ignored(call, now);                  // it tells nothing: cancelled, timed out
//     pace.give_back(call, now);                // it was never sent
//   }
//
// Without a limit it sends as in a slow start (in_flight_window.hpp) until refusals are too many for chance
// (refusal_test.hpp). Then it goes by a pace:
//
//   seeking  from max(burst, 8) per second, twice as fast for each three calls that pass; refused, the
//   bucket's rate is
//            estimated (bucket_estimate.hpp) as a range [low, high], and low · (high / low)^0.3 is tried,
//            until the range is within a tenth; with nothing admitted at all, a fourth, then 1/2, 1/1.5,
//            1/1.25 of the pace
//   holding  at 0.97 of the estimate; a refusal there takes 2 %, and as many as the test allows begin a new
//   search probing  every 1.5 to 3 s, and for 1 % of the calls at most: 3, 6, 12, 25 % more until one is
//   refused; twice as much once
//            more was admitted than the estimate explains by three tokens
//
// One round trip's refusals are one event: those of calls that were sent before the pace was lowered only
// count. Beside these: RFC 9438 (CUBIC: probing faster the longer it goes well), Cardwell et al. 2016 (BBR:
// the rate of delivery), the adaptive retry mode of AWS's SDKs (a client-side bucket whose rate follows
// throttling). docs/adaptive_rate.md has what it reaches, and where it does not.
//
// Not synchronised: one user at a time. Memory is fixed.
#pragma once

#include "dspu/core/adaptive_rate_options.hpp"
#include "dspu/core/bucket_estimate.hpp"
#include "dspu/core/call_spacing.hpp"
#include "dspu/core/duration.hpp"
#include "dspu/core/in_flight_window.hpp"
#include "dspu/core/refusal_share.hpp"
#include "dspu/core/refusal_test.hpp"
#include "dspu/core/stated_limit.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace dspu::core {

class adaptive_rate_machine {
 public:
  // What a call keeps while it is under way.
  struct call {
    instant sent{};
    std::int64_t serial = 0;
    std::int64_t in_flight = 0;  // as it was sent, itself among them
    std::uint32_t stage = 0;     // how often the pace had changed
    bool prompt = false;         // it went as soon as the pace allowed
  };

  // Throws: std::invalid_argument naming the option, its value and its range.
  adaptive_rate_machine(const adaptive_rate_options& options, instant now);

  // When the next call may go: now or earlier if at once; instant::max() if not before one in flight has
  // ended. Ask again after each call that was sent or has ended.
  instant ready_at(instant now) const;
  // The next call goes. It is counted even if ready_at() is later than now.
  call send(instant now);

  // How a call ended; each exactly once.
  void admitted(const call& c, instant now, const limit_facts& facts = {});
  void refused(const call& c, instant now, const limit_facts& facts = {});
  void ignored(const call& c, instant now);
  void give_back(const call& c, instant now);

  // New options for one in use. What was learnt stays, cut to the new bounds; `initial_rate` changes nothing.
  // Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(const adaptive_rate_options& options);

  // Whether it decides as a new one would.
  bool is_fresh(instant now) const {
    return sent_ == 0 ||
           (in_flight_ == 0 && now > add_saturating(std::max(last_, held_until()), options_.memory));
  }

  learnt_limit learnt() const;
  // Calls per second that it lets go now; nothing: as many as come.
  std::optional<double> pace() const;
  // Nothing goes before this instant, because the server said so; instant::min() if it did not.
  instant held_until() const { return stated_.until(); }
  std::int64_t in_flight() const { return in_flight_; }
  const adaptive_rate_options& options() const { return options_; }

 private:
  enum class phase {
    open,     // no pace
    seeking,  // the rate is not known yet
    holding,  // at the rate
    probing,  // above it
  };

  void hear(const call& c, const limit_facts& facts, instant now);
  void set_pace(double rate, instant now);
  void found_empty(const call& c);
  void open_admitted(const call& c, instant now);
  void open_refused(const call& c, instant now);
  void judge(const call& c);
  void limit_in_flight(instant now);
  void seek(instant now);
  void go_on_in_spite_of_refusals(instant now);
  void paced_admitted(const call& c, instant now);
  void paced_refused(const call& c, instant now);
  void base_refused(const call& c, instant now);
  void probe_if_due(instant now);
  void rise(instant now);
  void step_up(instant now);
  void fall(instant now);
  void narrow(rate_range r, instant now);
  void settle(double rate, instant now);
  double tolerance() const;

  adaptive_rate_options options_;
  stated_limit stated_;
  call_spacing spacing_;
  in_flight_window window_;
  bucket_estimate bucket_;
  refusal_test test_;
  refusal_share chance_;
  bool by_chance_ = false;        // refusals were taken for chance
  std::uint32_t paced_from_ = 0;  // the stage in which calls began to go by a pace

  phase phase_ = phase::open;
  std::int64_t in_flight_ = 0;
  std::int64_t sent_ = 0;
  instant last_{};  // that anything was sent or came back
  double rtt_ = 0;  // s, of admitted calls, smoothed

  double pace_ = 0;     // calls per second; 0: no limit
  double base_ = 0;     // a pace that passed, or 0
  double ceiling_ = 0;  // one that failed, or 0
  double step_ = 1;
  double rate_ = 0;              // as last estimated
  rate_range seen_{};            // at the last call that found nothing left
  std::int64_t last_empty_ = 0;  // its serial
  std::int64_t burst_ = 0;       // admitted before the first refusal

  std::uint32_t stage_ = 0;
  std::uint32_t cut_ = 0;  // refusals of calls of earlier stages tell nothing new
  instant stage_began_{};
  std::int64_t stage_admitted_ = 0;
  std::int64_t stage_length_ = 3;

  call first_{};  // the first refusal of those that are being judged
  std::int64_t first_refused_ = 0;

  int falls_ = 0;  // refusals in a row
  bool jumped_ = false;
  bool again_ = false;
  double passed_ = 0;  // the base before the last fall
  int windows_ = 0;
  int passes_ = 0;  // stages that passed since the last refusal
  duration outage_{1};
  bool changed_ = false;
  instant up_since_{};
  instant up_before_{};
  std::int64_t up_calls_ = 0;
  duration period_{0};  // of a window, or 0

  double credit_ = 0;  // refusals that probes may cost
  instant failed_at_{};
  int quiet_probes_ = 0;
  duration cost_{0};  // how long the server made one wait for the last refusal
};

}  // namespace dspu::core
