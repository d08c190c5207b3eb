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
// Not synchronised: one user at a time. Memory is fixed.
#pragma once

#include "dspu/core/adaptive_rate_options.hpp"
#include "dspu/core/bucket_estimate.hpp"
#include "dspu/core/duration.hpp"

#include <cstdint>

namespace dspu::core {

// Whether refusals depend on how fast one sends: Page's CUSUM of the likelihood that a fifth is refused, over
// that of a fiftieth.
class refusal_test {
 public:
  // Returns: whether it has become likely.
  bool refused(double threshold) {
    sum_ += 2.3;
    return sum_ >= threshold;
  }
  void admitted() { sum_ = sum_ > 0.2 ? sum_ - 0.2 : 0; }
  void reset() { sum_ = 0; }
  bool quiet() const { return sum_ == 0; }

 private:
  double sum_ = 0;
};

class adaptive_rate_machine {
 public:
  // What a call keeps while it is under way.
  struct call {
    instant sent{};
    std::int64_t serial = 0;
    std::int64_t in_flight = 0;  // as it was sent, itself among them
    std::uint32_t stage = 0;     // how often the pace had changed
    bool on_pace = false;        // it went as soon as the pace allowed
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
  bool is_fresh() const { return in_flight_ == 0 && sent_ == 0; }

  learnt_limit learnt() const;
  // Calls per second that it lets go now; nothing: as many as come.
  std::optional<double> pace() const;
  // Nothing goes before this instant, because the server said so; instant::min() if it did not.
  instant held_until() const { return held_until_; }
  std::int64_t in_flight() const { return in_flight_; }
  const adaptive_rate_options& options() const { return options_; }

 private:
  enum class phase { open, testing, holding, probing };
  struct mark {  // a refused call: the server had nothing left as it came
    instant at{};
    std::int64_t serial = 0;
    std::int64_t in_flight = 0;
  };

  void take_facts(const call& c, const limit_facts& facts, instant now);
  void set_pace(double rate, instant now);
  void hold(instant until);
  double threshold() const;
  void open_refused(const call& c, instant now, bool hinted);
  void test_admitted(const call& c, instant now);
  void test_refused(const call& c, instant now);
  void found_empty(const call& c);
  void start_search(instant now);
  void paced_admitted(const call& c, instant now);
  void paced_refused(const call& c, instant now);
  void probe_if_due(instant now);
  void rise(instant now);
  void refused_at_base(const call& c, instant now);
  void fall(instant now);
  void narrow(rate_range r, instant now);
  void settle(double rate, instant now);
  void step_up(instant now);
  double tolerance() const;

  adaptive_rate_options options_;
  phase phase_ = phase::open;
  refusal_test test_;
  bucket_estimate bucket_;
  std::int64_t in_flight_ = 0;
  std::int64_t sent_ = 0;
  std::uint32_t stage_ = 0;
  std::uint32_t cut_ = 0;          // refusals of calls of earlier stages tell nothing new
  std::int64_t last_refused_ = 0;  // serial
  double rtt_ = 0;                 // s, smoothed

  double window_ = 4;           // calls in flight
  bool window_learnt_ = false;  // a concurrency limit
  instant window_since_{};
  double window_step_ = 1;
  std::int64_t window_admitted_ = 0;

  instant start_;
  mark first_;  // the first refusal of those that are being judged
  std::int64_t first_lost_ = 0;
  double burst_ = 1;

  double pace_ = 0;     // calls per second; 0: no limit
  double base_ = 0;     // a pace that passed
  double ceiling_ = 0;  // a pace that failed lately; 0: none
  double step_ = 1;
  double rate_ = 0;  // the rate as last estimated
  std::int64_t stage_admitted_ = 0;
  std::int64_t stage_length_ = 3;
  instant stage_began_{};
  rate_range seen_{};
  int falls_ = 0;
  bool jumped_ = false;
  bool changed_ = false;
  duration period_{0};
  instant up_since_{};
  instant before_up_{};
  std::int64_t up_calls_ = 0;
  double credit_ = 2;  // refusals that it may afford for probes
  instant failed_at_{};
  duration cost_{0};  // how long the server makes one wait for a refusal

  duration interval_{0};
  instant next_ = instant::min();  // nothing goes before, for the pace
  instant held_until_ = instant::min();
  std::int64_t left_serial_ = -1;
  std::int64_t left_ = 0;
  instant reset_at_ = instant::min();
};

}  // namespace dspu::core
