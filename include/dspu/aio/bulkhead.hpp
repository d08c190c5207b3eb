// bulkhead: no more than so many calls at once, and no more than so many waiting for it.
//
//   bulkhead narrow{{.limit = 10, .max_queue = 100}};
//   co_await narrow.call(query, sql);            // throws bulkhead_full_error if 10 run and 100 wait
//
// Who finds all places taken waits in line, first come, first served; nobody overtakes. A waiter that is cancelled leaves
// the line at once; a timeout around the bulkhead bounds the wait. A place is held until the call has ended, however it
// ended.
//
// It may be shared by several event loops. A place that a loop has not collected for 5 to 10 ms after it was granted to
// one of its waiters (the loop is busy, or nobody runs it) goes to a waiter of another loop, if one is there; the waiters of
// that loop are passed over until it runs again, and are then the first in line.
//
// Thread-safety: everything may be called from any thread. Each call takes a lock for one decision when it begins and when
// it ends. The bulkhead must outlive the calls made through it.
#pragma once

#include "dspu/aio/detail/places.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace dspu::aio {

struct bulkhead_options {
  // Calls under way at once. At least 1.
  std::int64_t limit = 25;
  // Calls that wait for a place; one more gets bulkhead_full_error. At least 0: with 0, nobody waits.
  std::int64_t max_queue = 0;
  // Shadow mode: counts whom it would have made wait or refused, and lets everybody through.
  bool shadow = false;
};

namespace detail {

class bulkhead_stage;

// All of a bulkhead but its clock.
class bulkhead_base {
 public:
  bulkhead_base(const bulkhead_base&) = delete;
  bulkhead_base& operator=(const bulkhead_base&) = delete;

  // Changes the limit while it is in use: those in line move up; a lower one interrupts nobody.
  // Throws: std::invalid_argument unless limit >= 1.
  void set_limit(std::int64_t limit) {
    places_->set_limit(limit);
    revision_.fetch_add(1, std::memory_order_relaxed);
  }
  // The same for all options. A shorter line turns nobody out of it; shadow mode lets all go who are in it.
  // Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(const bulkhead_options& options);
  bulkhead_options options() const;
  // How often its options were changed.
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  // Whether it decides as a new one would: nobody is in it, nobody waits.
  bool is_fresh() const { return places_->is_fresh(); }

  std::int64_t limit() const { return places_->snapshot().limit(); }
  std::int64_t in_flight() const { return places_->snapshot().in_flight(); }
  // All who wait, also those whose event loop does not come when it is called.
  std::int64_t waiting() const { return places_->waiting(); }
  // In shadow mode: how many calls would have had to wait or been refused.
  std::int64_t over_limit() const { return over_limit_.load(std::memory_order_relaxed); }

  // Its part in a pipeline, which refers to it.
  bulkhead_stage stage() &;

 protected:
  bulkhead_base(const bulkhead_options& options, const timekeeper& time);
  // Ends all waits with operation_aborted.
  ~bulkhead_base() { places_->abort_all(); }

 private:
  friend class bulkhead_stage;

  std::shared_ptr<places> places_;
  std::atomic<std::int64_t> over_limit_{0};
  std::atomic<std::uint64_t> revision_{0};
  std::atomic<bool> shadow_;
};

}  // namespace detail

// The clock says for how long an event loop may keep others waiting for a place that it does not collect.
template <class Clock>
class basic_bulkhead : public detail::bulkhead_base, public detail::verbs<basic_bulkhead<Clock>> {
 public:
  using options_type = bulkhead_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_bulkhead(const bulkhead_options& options = {})
      : bulkhead_base(options, detail::timekeeper_of<Clock>) {}
};

using bulkhead = basic_bulkhead<std::chrono::steady_clock>;

namespace detail {

class bulkhead_stage : public stage_defaults {
 public:
  using clock_type = void;

  explicit bulkhead_stage(bulkhead_base& b) : bulkhead_(&b) {}
  stage_facts facts() const;

  class session : public session_defaults {
   public:
    explicit session(const bulkhead_stage& s) : bulkhead_(s.bulkhead_) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() { release(); }

    entry enter(run& r, std::size_t level);
    awaitable<void> wait(run& r) { return wait_in_line(r); }
    void succeed(run&) { release(); }
    next leave(run&, std::size_t, ending) {
      release();
      return next::up;
    }
    void abandon(run&) { release(); }

   private:
    awaitable<void> wait_in_line(const run& r);
    void release() {
      if (std::exchange(held_, false)) bulkhead_->places_->leave();
    }

    bulkhead_base* bulkhead_;
    bool held_ = false;
  };

 private:
  bulkhead_base* bulkhead_;
};

inline bulkhead_stage bulkhead_base::stage() & { return bulkhead_stage(*this); }

}  // namespace detail

}  // namespace dspu::aio
