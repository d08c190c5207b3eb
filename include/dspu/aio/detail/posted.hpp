// A function that is posted without allocating: its memory is this object.
//
// It enters the queue of its event loop as Asio's own operations do, so that posting it cannot fail, where the executor is
// that of an io_context or a thread_pool, or a lane (detail/lane.hpp) on one. Other executors, such as strands, get a handler
// that refers to it: they allocate, and may throw.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/execution_context.hpp>

#include <utility>

namespace dspu::aio::detail {

class lane;

// The queue of an io_context or a thread_pool.
using loop_queue = asio::detail::scheduler;

// That of the context whose own executor this is; null if it is an executor of another kind.
loop_queue* queue_of(const asio::any_io_executor& ex);

// While it lives, this thread offers something to an executor, or to an operation that it begins: a handle to it that is
// destroyed meanwhile is one that was not taken.
class offer {
 public:
  explicit offer(const void* what) : what_(what), outer_(std::exchange(innermost, this)) {}
  offer(const offer&) = delete;
  offer& operator=(const offer&) = delete;
  ~offer() { innermost = outer_; }

  static bool made_of(const void* what) {
    const offer* o = innermost;
    while (o != nullptr && o->what_ != what) o = o->outer_;
    return o != nullptr;
  }

 private:
  static inline thread_local const offer* innermost = nullptr;

  const void* what_;
  const offer* outer_;
};

class posted : private asio::detail::scheduler_operation {
 public:
  posted(const posted&) = delete;
  posted& operator=(const posted&) = delete;

 protected:
  posted() : scheduler_operation(&arrive) {}
  ~posted() = default;

  // Posts it. Requires: it is not posted already. Throws: what `ex` throws, and then it is not posted.
  void post_to(const asio::any_io_executor& ex);
  // The same, but an executor that has no memory is asked until it has.
  void post_surely_to(const asio::any_io_executor& ex) noexcept;
  // `follows`: as a continuation of what this thread runs (asio::execution::relationship).
  void post_to(lane& l, bool follows = false);
  void post_to(loop_queue& queue, bool follows = false);

  // One of them is called, once. Both may destroy this.
  virtual void on_arrival() = 0;   // on the executor
  virtual void on_shutdown() = 0;  // when the context is shut down first

 private:
  friend class lane;
  struct handle;

  static void arrive(void* owner, scheduler_operation* self, const error_code&, std::size_t);

  lane* lane_ = nullptr;    // which it is to enter; counts as a reference
  posted* next_ = nullptr;  // of those that wait for the lane
};

}  // namespace dspu::aio::detail
