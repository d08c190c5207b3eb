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
  explicit places(const core::bulkhead_options& options) : machine_(options) {}

  // A place, if there is one (nobody waits then).
  bool try_enter();
  // Gives a place back: to who is first in the line, if anybody.
  void leave();

  // Suspends: until it has a place. On cancel: operation_aborted, it holds none.
  // Throws: bulkhead_full_error if the line is full.
  static awaitable<void> wait_for_place(std::shared_ptr<places> self);

  void set_limit(std::int64_t n) {
    change([n](core::bulkhead_machine& m) { return m.set_limit(n); });
  }
  void reconfigure(const core::bulkhead_options& options) {
    change([&](core::bulkhead_machine& m) { return m.reconfigure(options); });
  }
  // Ends the wait of all who are in the line, with a place each.
  void release_waiters() {
    change([](core::bulkhead_machine& m) { return m.release_waiters(); });
  }
  // What it is now, in one piece.
  core::bulkhead_machine snapshot();

 private:
  struct initiate_wait;

  // `how` says how many go.
  template <class How>
  void change(const How& how) {
    waiter_list going;
    {
      const std::lock_guard lock(mutex_);
      for (auto more = how(machine_); more > 0; --more) pop_front_into(going);
    }
    going.complete(error_code{});
  }

  void wait(waiter_ptr w);
  void left() override;
  void give_back(double) override { leave(); }

  core::bulkhead_machine machine_;  // guarded by the lock, as the line
};

}  // namespace dspu::aio::detail
