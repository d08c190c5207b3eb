// adaptive_concurrency: as many calls at once as the server bears, learnt from how long they take and which
// are dropped.
//
//   adaptive_concurrency width{{.algorithm = limit_algorithm::vegas, .max_queue = 100}};
//   auto polite = retry{} | width | timeout(2s);
//   co_await polite.call(fetch, url);            // throws bulkhead_full_error if 100 wait already
//
// A bulkhead whose limit moves: by the formulas of Netflix's concurrency-limits (core/adaptive_limit.hpp says
// which, where they differ and which to choose). Each call that ends is a sample: how long it took from when
// it got its place, or that it was dropped. Calls that tell nothing of the server's load are none: those that
// were cancelled, by their caller or a timeout further out, and those that a policy further in refused. So
// put it inside of retries, and a timeout inside of it: calls that time out there are what says that the
// server is overloaded.
//
// Who finds all places taken waits in line, first come, first served; nobody overtakes. A waiter that is
// cancelled leaves the line at once; a timeout around bounds the wait. What bulkhead.hpp says of several event
// loops holds here too.
//
// Thread-safety: everything may be called from any thread. Each call takes a lock for one decision when it
// begins and two when it ends. It must outlive the calls made through it.
#pragma once

#include "dspu/aio/detail/places.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/outcome.hpp"
#include "dspu/aio/stage_facts.hpp"
#include "dspu/core/adaptive_limit.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace dspu::aio {

using core::limit_algorithm;

struct adaptive_concurrency_options {
  limit_algorithm algorithm = limit_algorithm::gradient2;
  // What the limit starts with. min to max.
  std::int64_t initial = 20;
  // It never goes below. At least 1; higher keeps more calls going, whatever the server says.
  std::int64_t min = 1;
  // It never goes above. min to 1e6.
  std::int64_t max = 200;
  // What is particular to each algorithm, with its ranges: core/adaptive_limit.hpp.
  core::aimd_options aimd{};
  core::vegas_options vegas{};
  core::gradient2_options gradient2{};
  // Calls that wait for a place; one more gets bulkhead_full_error. At least 0: with 0, nobody waits.
  std::int64_t max_queue = 0;
  // What an outcome says of the load. `failure`: it was dropped, for overload; `success`: its latency counts;
  // `ignored`: nothing. Without it: overload_verdict().
  classifier classify = nullptr;
  // Of the numbers that spread vegas's probes. Without it: from the OS.
  std::optional<std::uint64_t> seed{};
  // Shadow mode: learns its limit, counts whom it would have made wait or refused, and lets everybody
  // through.
  bool shadow = false;
};

// Timeouts, and failures that say when to come back (retry_after_of), are drops; values are latencies; other
// failures say nothing: an error of the caller's is no sign of load, and a quick one no sign of speed.
verdict overload_verdict(const outcome& o);

namespace detail {

template <class Clock>
class adaptive_stage;

// All of it but its clock.
class adaptive_state {
 public:
  adaptive_state(adaptive_concurrency_options options, const timekeeper& time);

  void reconfigure(adaptive_concurrency_options options);
  adaptive_concurrency_options options() const;
  stage_facts facts() const;
  duration baseline() const;
  bool is_fresh() const;
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }

  // A call begins, with a place or, in shadow mode, without. Returns: how many are under way, itself among
  // them.
  std::int64_t begin() { return running_.fetch_add(1, std::memory_order_relaxed) + 1; }
  void end() { running_.fetch_sub(1, std::memory_order_relaxed); }
  std::int64_t in_flight() const { return running_.load(std::memory_order_relaxed); }

  bool shadow() const { return shadow_.load(std::memory_order_relaxed); }
  bool classifies() const { return classifies_.load(std::memory_order_relaxed); }
  // By the classifier of now.
  verdict judge(const outcome& o) const;
  void sample(const run& r, duration rtt, std::int64_t in_flight, bool dropped);

  void count_over() { over_limit_.fetch_add(1, std::memory_order_relaxed); }
  std::int64_t over_limit() const { return over_limit_.load(std::memory_order_relaxed); }

  const std::shared_ptr<places>& line() const { return places_; }

 private:
  mutable std::mutex mutex_;  // taken before that of the places
  std::shared_ptr<const adaptive_concurrency_options> options_;
  core::adaptive_limit limit_;
  const std::shared_ptr<places> places_;
  std::atomic<std::int64_t> running_{0};
  std::atomic<std::int64_t> over_limit_{0};
  std::atomic<std::uint64_t> revision_{0};
  std::atomic<bool> shadow_;
  std::atomic<bool> classifies_;
};

class adaptive_session : public session_defaults {
 public:
  explicit adaptive_session(adaptive_state& state) : state_(&state) {}
  adaptive_session(const adaptive_session&) = delete;
  adaptive_session& operator=(const adaptive_session&) = delete;
  ~adaptive_session() { release(); }

  entry enter(run& r, std::size_t level);
  awaitable<void> wait(run& r) { return wait_in_line(r); }
  bool plain() const { return !state_->classifies(); }
  void succeed(run& r);
  next leave(run& r, std::size_t level, ending e);
  void abandon(run&) { release(); }

 private:
  awaitable<void> wait_in_line(const run& r);
  void begin(const run& r);
  void release();

  adaptive_state* state_;
  core::instant began_{};
  std::int64_t in_flight_ = 0;  // 0: it has not begun
  std::uint64_t starts_ = 0;
  bool has_place_ = false;
};

}  // namespace detail

template <class Clock>
class basic_adaptive_concurrency : public detail::verbs<basic_adaptive_concurrency<Clock>> {
 public:
  using options_type = adaptive_concurrency_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_adaptive_concurrency(adaptive_concurrency_options options = {})
      : state_(std::move(options), detail::timekeeper_of<Clock>) {}
  basic_adaptive_concurrency(const basic_adaptive_concurrency&) = delete;
  basic_adaptive_concurrency& operator=(const basic_adaptive_concurrency&) = delete;
  // Ends all waits with operation_aborted.
  ~basic_adaptive_concurrency() { state_.line()->abort_all(); }

  // New options while it is in use. The limit stays, cut to the new min and max; so does what was learnt,
  // unless the algorithm is another. `initial` and `seed` change nothing any more. Throws:
  // std::invalid_argument, and changes nothing.
  void reconfigure(adaptive_concurrency_options options) { state_.reconfigure(std::move(options)); }
  adaptive_concurrency_options options() const { return state_.options(); }
  // How often that was done.
  std::uint64_t revision() const { return state_.revision(); }
  // Whether it decides as a new one would: nobody is in it or waits, and it has learnt nothing, or, with
  // aimd, is back where it began. The other algorithms do not forget a latency.
  bool is_fresh() const { return state_.is_fresh(); }

  std::int64_t limit() const { return state_.line()->snapshot().limit(); }
  std::int64_t in_flight() const { return state_.in_flight(); }
  std::int64_t waiting() const { return state_.line()->waiting(); }
  // The latency that the algorithm compares with; 0 before there is one.
  duration baseline() const { return state_.baseline(); }
  // In shadow mode: how many calls would have had to wait or been refused.
  std::int64_t over_limit() const { return state_.over_limit(); }

  // Its part in a pipeline, which refers to it.
  detail::adaptive_stage<Clock> stage() & { return detail::adaptive_stage<Clock>(state_); }

 private:
  detail::adaptive_state state_;
};

using adaptive_concurrency = basic_adaptive_concurrency<std::chrono::steady_clock>;

namespace detail {

template <class Clock>
class adaptive_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit adaptive_stage(adaptive_state& state) : state_(&state) {}
  stage_facts facts() const { return state_->facts(); }

  class session : public adaptive_session {
   public:
    explicit session(const adaptive_stage& s) : adaptive_session(*s.state_) {}
  };

 private:
  adaptive_state* state_;
};

}  // namespace detail

}  // namespace dspu::aio
