// throttle: refuses calls by chance, the more the server has refused of late (client-side throttling).
//
//   throttle polite{{.k = 2}};
//   co_await polite.call(fetch, url);            // throws throttled_error now and then while the server is overloaded
//
// The probability is that of Google's SRE book, chapter 21 (core/throttle_machine.hpp): it rises as the server refuses,
// and falls as it accepts, without states to get stuck in. Put it outside of nothing but timeouts: a retry around it would
// retry what it refuses.
//
// Thread-safety: everything may be called from any thread; the lock is held for one decision. It must outlive the calls
// made through it.
#pragma once

#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/aio/stage_facts.hpp"
#include "dspu/core/throttle_machine.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

namespace dspu::aio {

struct throttle_options {
  // How many calls may be made for one that is accepted. At least 1, at most 1e6; less is more aggressive.
  double k = 2;
  // What counts. 1 s to 24 h.
  duration window = std::chrono::minutes{2};
  // The highest probability; the rest gets through to see whether the server is back. 0 to 1.
  double max_rejection = 0.9;
  // Fewer calls in the window are no sign of anything. At least 0.
  std::int64_t min_requests = 10;
  // Which outcomes say that the server refused: `failure`. What is `ignored` counts neither way. Without it: every
  // exception, and every result without a value.
  classifier classify = nullptr;
  // Uniform in [0, 1); called under the lock. Without it: a generator per thread, seeded by the OS.
  std::function<double()> random = nullptr;
  // Shadow mode: decides and tells the observer, but lets everybody through.
  bool shadow = false;
};

namespace detail {

template <class Clock>
class throttle_stage;

// All of a throttle but its clock.
class throttle_state {
 public:
  explicit throttle_state(throttle_options options);

  // The probability, if it refuses.
  std::optional<double> refuses(core::instant now);
  void record(verdict v, core::instant now);
  double probability(core::instant now);
  void reconfigure(const throttle_options& options);
  throttle_options options() const;
  bool is_fresh(core::instant now);
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  bool shadow() const { return shadow_.load(std::memory_order_relaxed); }
  const classifier& classify() const { return options_.classify; }
  stage_facts facts() const;

 private:
  const throttle_options options_;  // for its functions; the machine has the rest, which may change
  std::atomic<bool> shadow_;
  std::atomic<std::uint64_t> revision_{0};
  mutable std::mutex mutex_;
  core::throttle_machine machine_;
};

class throttle_session : public session_defaults {
 public:
  explicit throttle_session(throttle_state& state) : state_(&state) {}

  entry enter(run& r, std::size_t level);
  bool plain() const { return !state_->classify(); }
  void succeed(run& r) { state_->record(verdict::success, r.context.clock()); }
  next leave(run& r, std::size_t level, ending e);

 private:
  throttle_state* state_;
  std::uint64_t starts_ = 0;
};

}  // namespace detail

template <class Clock>
class basic_throttle : public detail::verbs<basic_throttle<Clock>> {
 public:
  using options_type = throttle_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_throttle(throttle_options options = {}) : state_(std::move(options)) {}
  basic_throttle(const basic_throttle&) = delete;
  basic_throttle& operator=(const basic_throttle&) = delete;

  // With which the next call will be refused; 0 to max_rejection.
  double rejection_probability() const { return state_.probability(core::instant_of(Clock::now())); }

  // New options while calls are under way; the functions among them stay as they were. What was counted is kept, but if the
  // window is another: then it starts anew. Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(const throttle_options& options) { state_.reconfigure(options); }
  throttle_options options() const { return state_.options(); }
  // How often that was done.
  std::uint64_t revision() const { return state_.revision(); }
  // Whether it decides as a new one would: nothing counts any more.
  bool is_fresh() const { return state_.is_fresh(core::instant_of(Clock::now())); }

  // Its part in a pipeline, which refers to it.
  detail::throttle_stage<Clock> stage() & { return detail::throttle_stage<Clock>(state_); }

 private:
  mutable detail::throttle_state state_;  // forgets what is old whenever it is read
};

using throttle = basic_throttle<std::chrono::steady_clock>;

namespace detail {

template <class Clock>
class throttle_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit throttle_stage(throttle_state& state) : state_(&state) {}
  stage_facts facts() const { return state_->facts(); }

  class session : public throttle_session {
   public:
    explicit session(const throttle_stage& s) : throttle_session(*s.state_) {}
  };

 private:
  throttle_state* state_;
};

}  // namespace detail

}  // namespace dspu::aio
