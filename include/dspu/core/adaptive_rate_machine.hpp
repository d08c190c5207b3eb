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
#include "dspu/core/duration.hpp"

#include <cstdint>

namespace dspu::core {

class adaptive_rate_machine {
 public:
  // What a call keeps while it is under way.
  struct call {
    instant sent{};
    std::int64_t in_flight = 0;  // as it was sent, itself among them
    std::uint32_t epoch = 0;     // how often the pace had been lowered
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
  bool is_fresh() const { return in_flight_ == 0 && epoch_ == 0 && sent_ == 0; }

  learnt_limit learnt() const;
  // Calls per second that it lets go now; nothing: as many as come.
  std::optional<double> pace() const;
  // Nothing goes before this instant, because the server said so; instant::min() if it did not.
  instant held_until() const { return held_until_; }
  std::int64_t in_flight() const { return in_flight_; }
  const adaptive_rate_options& options() const { return options_; }

 private:
  void hold(const limit_facts& facts, instant now);
  void set_pace(double rate);

  adaptive_rate_options options_;
  std::int64_t in_flight_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t window_ = 4;    // calls in flight at once, while nothing is known
  std::int64_t credit_ = 0;    // admitted calls that have not yet widened the window
  std::int64_t admitted_ = 0;  // since the last refusal
  std::int64_t burst_ = 0;
  std::uint32_t epoch_ = 0;
  double pace_ = 0;  // calls per second; 0: no limit
  duration interval_{0};
  instant next_ = instant::min();  // nothing goes before, for the pace
  instant since_;                  // the last refusal, or the beginning
  instant grown_ = instant::min();
  instant held_until_ = instant::min();
};

}  // namespace dspu::core
