// Places for calls under way, and the line for them: what bulkheads and adaptive limits share.
#pragma once

#include "dspu/aio/detail/wait_queue.hpp"
#include "dspu/core/bulkhead_machine.hpp"

#include <cstdint>
#include <memory>

namespace dspu::aio::detail {

// Thread-safety: everything may be called from any thread. The lock is held for one decision.
class places : public wait_queue {
 public:
  // Throws: std::invalid_argument naming the option, its value and its range.
  places(const core::bulkhead_options& options, const timekeeper& time) : wait_queue(&time), machine_(options) {}

  // A place, if there is one (nobody waits then).
  bool try_enter();
  // Gives a place back: to who is first in the line, if anybody.
  void leave();

  // Suspends: until it has a place. On cancel: operation_aborted, it holds none.
  // Throws: bulkhead_full_error if the line is full.
  static awaitable<void> wait_for_place(std::shared_ptr<places> self);

  void set_limit(std::int64_t n);
  // With `open`, all go who are in the line, with a place each; so does whoever comes back to it.
  void reconfigure(const core::bulkhead_options& options, bool open);
  // What it is now, in one piece; those who were passed over are not in it.
  core::bulkhead_machine snapshot();
  // All who wait.
  std::int64_t waiting();
  bool is_fresh();

 private:
  struct initiate_wait;

  void wait(waiter_ptr w);
  void let_go(std::int64_t n, waiter_list& going);
  void left() override;
  void came_back(std::size_t n, waiter_list& going) override;
  void take_back(const waiter& w, waiter_list& going) override;
  void give_back(double) override { leave(); }

  core::bulkhead_machine machine_;  // guarded by the lock, as the line; counts nobody who was passed over
  bool open_ = false;               // guarded by the lock
};

}  // namespace dspu::aio::detail
