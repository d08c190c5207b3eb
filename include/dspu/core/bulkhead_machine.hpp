// How many calls run at once, and how many may wait for it: the counts of a bulkhead, without its queue.
//
//   bulkhead_machine places({.limit = 10, .max_queue = 100});
//   switch (places.enter()) {
//     case bulkhead_entry::go: …      // in flight; leave() when it ends
//     case bulkhead_entry::wait: …    // go to the end of the queue; resumed (then in flight), or abandon()
//     case bulkhead_entry::refuse: …
//   }
//
// leave() and set_limit() say how many waiters go now. These hold their places from then on, before they are
// resumed, so nobody barges in between; one that was cancelled in the meantime calls leave(). Which waiters
// go is the queue's affair. While anybody waits, no place is free.
//
// Not synchronised: one user at a time.
#pragma once

#include <cstdint>

namespace dspu::core {

struct bulkhead_options {
  std::int64_t limit = 25;     // >= 1: calls in flight at once
  std::int64_t max_queue = 0;  // >= 0: calls that wait for a place; with 0 they are refused at once
};

enum class bulkhead_entry {
  go,      // it has a place
  wait,    // it is counted as waiting
  refuse,  // it is not counted
};

class bulkhead_machine {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit bulkhead_machine(const bulkhead_options& options);

  bulkhead_entry enter();

  // A call in flight has ended. Returns: how many waiters go now, 0 or 1; they are in flight already.
  std::int64_t leave();

  // A waiter gave up before it was told to go.
  void abandon();

  // So many who gave up wait again, whatever the queue's bound: they were in it before.
  // Returns: how many waiters go now; they are in flight already.
  std::int64_t rejoin(std::int64_t n);

  // Changes the limit of a bulkhead in use. A lower one interrupts nobody: calls beyond it run out.
  // Returns: how many waiters go now; they are in flight already.
  // Throws: std::invalid_argument unless limit >= 1; nothing has changed then.
  std::int64_t set_limit(std::int64_t limit);

  // The same for both options; a shorter queue turns nobody out of it.
  std::int64_t reconfigure(const bulkhead_options& options);
  // All who wait go now, beyond the limit if need be. Returns: how many; they are in flight already.
  std::int64_t release_waiters();

  // Whether it decides as a new one would.
  bool is_fresh() const { return in_flight_ == 0 && waiting_ == 0; }

  std::int64_t in_flight() const { return in_flight_; }
  std::int64_t waiting() const { return waiting_; }
  std::int64_t limit() const { return limit_; }
  std::int64_t max_queue() const { return max_queue_; }

 private:
  std::int64_t admit_waiters();

  std::int64_t limit_;
  std::int64_t max_queue_;
  std::int64_t in_flight_ = 0;
  std::int64_t waiting_ = 0;
};

}  // namespace dspu::core
