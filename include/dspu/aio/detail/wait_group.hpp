// The waiters of a queue that belong to one execution context, and the watch that this context keeps over the others.
//
// A queue may be shared by several event loops. One of them may be busy, or stopped and kept, for any time, while waiters
// of it were granted something or were to be woken by its timer. Nobody on another loop is to wait for that: as long as
// waiters of several contexts are in the queue, each context in which somebody waits looks, at an instant that the queue
// names, whether what was due has been done and whether those who were called have come (wait_queue::look).
#pragma once

#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/timekeeper.hpp"
#include "dspu/aio/detail/waiter.hpp"

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace dspu::aio::detail {

// Guarded by the queue's lock.
class wait_group final : private timed {
 public:
  explicit wait_group(wait_queue& queue) : queue_(&queue) {}
  ~wait_group() { unwatch(); }

  // An executor of the context, that does not count as work. Requires: somebody waits.
  const asio::any_io_executor& base() const { return base_; }
  bool somebody_waits() const { return waiting_ > 0; }
  // Nobody waits there who is in the line: it can wake nobody.
  bool deserted() const { return waiting_ == 0 || absent_; }
  // Whether it may be asked to wake others: it has come for whatever it was called for.
  bool prompt() const { return !absent_ && !called_.linked(); }

 private:
  friend class wait_queue;

  // Becomes the group of that waiter's context. Requires: it has no members.
  void open(const waiter& w);
  // Forgets the context: it has no members any more, or it is going away.
  void close();

  // Has the context look by that instant; sooner or later than it was to, if need be.
  void watch(const timekeeper& time, core::instant at);
  void unwatch();
  // Whether that is the watch that was kept, and has just ended.
  bool has_ended(std::uint64_t watch);
  void expire(std::unique_lock<std::mutex>& lock) override;

  wait_queue* queue_;
  waiter_registry* registry_ = nullptr;  // the context's; null while nobody is a member
  const asio::execution_context* context_ = nullptr;
  asio::any_io_executor base_;
  std::size_t members_ = 0;    // who is queued or called
  std::size_t waiting_ = 0;    // who is queued
  waiter_links called_;        // those who hold what they were granted, in order; by their registry_links
  waiter_links passed_over_;   // those who are queued and not in the line, in order, while it is absent
  std::size_t to_come_ = 0;    // who lost what they were granted, and will come on the context's own loop
  bool absent_ = false;        // it does not come when it is called
  bool came_ = false;          // somebody who was called has come since the last look
  deadlines* watched_ = nullptr;
  core::instant look_at_{};
  std::uint64_t watch_ = 0;    // tells one watch from the next
};

}  // namespace dspu::aio::detail
