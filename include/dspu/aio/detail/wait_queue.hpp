// The line in which suspended operations wait: FIFO, intrusive, unlinked in O(1), the same for every policy. It has a
// few classes, each a line of its own; who uses one only uses the default.
//
// A waiter holds the completion handler, for an error_code or for an exception_ptr, in one allocation or in the frame
// of the coroutine that waits. Three may want to end its wait: the policy (granted), its cancellation slot (aborted),
// and the shutdown of its execution context (destroyed, never called). Whoever unlinks it under the queue's lock owns it
// from then on. It is completed by a function posted to its own executor, so that handler, slot and memory are only ever
// touched there.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/core/duration.hpp"

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/recycling_allocator.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>

namespace dspu::aio::detail {

class wait_queue;
class waiter_registry;
class waiter_passage;

struct waiter_links {
  waiter_links* next = this;
  waiter_links* previous = this;

  bool linked() const { return next != this; }
  void unlink() {
    next->previous = previous;
    previous->next = next;
    next = previous = this;
  }
  void link_before(waiter_links& other) {
    next = &other;
    previous = other.previous;
    previous->next = this;
    other.previous = this;
  }
};

struct queue_links : waiter_links {};
struct registry_links : waiter_links {};

// Why a wait was refused, for the coroutine that asked: it cannot come through an error_code.
struct wait_refusal {
  duration needed{0};
  duration remaining{0};
};

// What somebody waits for.
struct wait_request {
  double amount = 0;
  core::instant deadline = core::instant::max();
  wait_refusal* refusal = nullptr;  // lives as long as the handler; null if nobody reads it
  int line = 0;

  bool bounded() const { return deadline != core::instant::max(); }
};

class waiter : private queue_links, private registry_links {
 public:
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  double amount() const { return request_.amount; }
  const wait_request& request() const { return request_; }
  const asio::any_io_executor& executor() const { return executor_; }
  // Holds a place, but nobody is suspended: it has no executor, belongs to who made it, and is never completed.
  bool passive() const { return registry_ == nullptr; }

 protected:
  waiter(std::shared_ptr<wait_queue> queue, const wait_request& request, const asio::any_io_executor& ex);
  // A passive one.
  waiter(std::shared_ptr<wait_queue> queue, const wait_request& request);
  ~waiter() = default;

  asio::any_io_executor take_executor() { return std::move(executor_); }
  const wait_queue& queue() const { return *queue_; }

 private:
  friend class wait_queue;
  friend class waiter_list;
  friend class waiter_registry;
  friend class waiter_passage;
  friend struct waiter_cancellation;
  friend struct waiter_owner;

  // Both end the waiter's life. complete() runs on its executor and calls the handler; discard() does not.
  virtual void complete(error_code ec) = 0;
  virtual void discard() = 0;

  static waiter& in_queue(waiter_links* l) { return static_cast<waiter&>(static_cast<queue_links&>(*l)); }
  static waiter& in_registry(waiter_links* l) { return static_cast<waiter&>(static_cast<registry_links&>(*l)); }

  std::shared_ptr<wait_queue> queue_;
  waiter_registry* registry_;
  asio::any_io_executor executor_;  // tracks work: the context does not run dry while somebody waits
  wait_request request_;
  bool on_loop_;          // its executor is an io_context's own: any handler of that may call it
  bool granted_ = false;  // completed without an error, and perhaps still on its way to its executor
  bool queued_ = false;   // guarded by the queue's lock; true until somebody takes it out
  bool on_the_way_ = false;  // taken out, and not yet posted: its context waits for that before it goes away
};

// Destroys a waiter that will not be completed; what it was granted goes back to its queue.
struct waiter_owner {
  void operator()(waiter* w) const;
};
using waiter_ptr = std::unique_ptr<waiter, waiter_owner>;

// Waiters that were taken out of a queue and are yet to be completed, in order.
class waiter_list {
 public:
  waiter_list() = default;
  waiter_list(waiter_list&& other) noexcept;
  waiter_list& operator=(waiter_list&&) = delete;
  ~waiter_list() {
    if (!empty()) discard_all();
  }

  bool empty() const { return !head_.linked(); }
  void push_back(waiter& w) { w.queue_links::link_before(head_); }
  waiter_ptr pop_front();

  // Completes all, by post: neighbours of one loop by one function. But those whose executor is the loop `here`, in a
  // handler of which we are, are called.
  void complete(error_code ec, const asio::execution_context* here = nullptr) {
    if (!empty()) complete_all(ec, here);
  }

 private:
  void discard_all();
  void complete_all(error_code ec, const asio::execution_context* here);
  waiter& front() { return waiter::in_queue(head_.next); }
  void post_front(error_code ec);
  void post_neighbours(error_code ec);
  void call(error_code ec);

  waiter_links head_;
};

class wait_queue : public std::enable_shared_from_this<wait_queue> {
 public:
  wait_queue() = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

  // Ends the wait of everyone with operation_aborted.
  void abort_all();

  // What is told of the end of a wait in vain to those who take exceptions.
  virtual std::exception_ptr told(error_code ec, const wait_request& request) const;

 protected:
  virtual ~wait_queue() = default;

  mutable std::mutex mutex_;

  static constexpr int lines = 3;

  // All of these need the lock.
  bool empty() const { return size_ == 0; }
  bool empty(int line) const { return !links_of(line).linked(); }
  std::size_t size() const { return size_; }
  waiter& front(int line) { return waiter::in_queue(links_of(line).next); }
  // Who waits behind w in its line, or null.
  waiter* behind(waiter& w) {
    waiter_links* const next = w.queue_links::next;
    return next == &links_of(w.request().line) ? nullptr : &waiter::in_queue(next);
  }
  void push_back(waiter& w);
  // A passive one goes nowhere, and is nobody's any more but its maker's.
  void remove_into(waiter_list& list, waiter& w);
  // For those who use one line only.
  void pop_front_into(waiter_list& list) { remove_into(list, front(0)); }
  void remove(waiter& w);
  static bool queued(const waiter& w) { return w.queued_; }

  // Somebody came into the line or went out of it, for whatever reason.
  virtual void came(const waiter&) {}
  virtual void went(const waiter&) {}
  // One or more left the line without being served.
  virtual void left() = 0;
  // Some who were let go have resumed, which may have taken time. The lock is not held.
  virtual void resumed() {}

  // Somebody was granted this and is destroyed without having heard of it. The lock is not held.
  virtual void give_back(double amount) = 0;

 private:
  friend struct waiter_owner;
  friend struct waiter_cancellation;
  friend class waiter_list;
  friend class waiter_registry;

  waiter_links& links_of(int line) { return line_[static_cast<std::size_t>(line)]; }
  const waiter_links& links_of(int line) const { return line_[static_cast<std::size_t>(line)]; }
  void cancel(waiter& w);
  // Destroys those who wait on behalf of a context that is shutting down.
  void abandon(const waiter_registry& context);

  std::array<waiter_links, lines> line_;
  std::size_t size_ = 0;
};

struct waiter_cancellation {
  waiter* target;
  void operator()(asio::cancellation_type_t) const {
    const auto queue = target->queue_;  // outlives the waiter
    queue->cancel(*target);
  }
};

// A coroutine's wait, in its frame: what it waits for, and room for the waiter.
struct own_wait {
  explicit own_wait(const wait_request& r) : request(r) {}

  wait_request request;
  alignas(std::max_align_t) std::byte room[192];
};

template <class Handler>
class handler_waiter final : public waiter {
 public:
  // The executor is the handler's own, or `fallback` if it has none.
  static waiter_ptr make(std::shared_ptr<wait_queue> queue, const wait_request& request, Handler&& handler,
                         const asio::any_io_executor& fallback) {
    const asio::any_io_executor ex = asio::get_associated_executor(handler, fallback);
    auto allocator = rebind(handler);
    auto* place = allocator.allocate(1);
    return begin(new (place) handler_waiter(std::move(queue), request, std::move(handler), ex, false));
  }
  // For the handler of a coroutine that awaits it.
  static waiter_ptr make(std::shared_ptr<wait_queue> queue, own_wait& own, Handler&& handler) {
    static_assert(sizeof(handler_waiter) <= sizeof own.room && alignof(handler_waiter) <= alignof(std::max_align_t));
    const asio::any_io_executor ex = asio::get_associated_executor(handler);
    return begin(new (own.room) handler_waiter(std::move(queue), own.request, std::move(handler), ex, true));
  }

 private:
  using base_allocator = asio::associated_allocator_t<Handler, asio::recycling_allocator<void>>;
  using allocator_type = typename std::allocator_traits<base_allocator>::template rebind_alloc<handler_waiter>;

  handler_waiter(std::shared_ptr<wait_queue> queue, const wait_request& request, Handler&& handler,
                 const asio::any_io_executor& ex, bool in_frame)
      : waiter(std::move(queue), request, ex), handler_(std::move(handler)), in_frame_(in_frame) {}

  static waiter_ptr begin(handler_waiter* made) {
    auto slot = slot_of(made->handler_);
    if (slot.is_connected()) slot.template emplace<waiter_cancellation>(made);
    return waiter_ptr{made};
  }

  static allocator_type rebind(const Handler& handler) {
    return allocator_type{asio::get_associated_allocator(handler, asio::recycling_allocator<void>{})};
  }
  static auto slot_of(const Handler& handler) { return asio::get_associated_cancellation_slot(handler); }

  void complete(error_code ec) override {
    auto slot = slot_of(handler_);
    if (slot.is_connected()) slot.clear();
    const auto work = take_executor();
    if constexpr (std::is_invocable_v<Handler&, error_code>) {
      Handler handler = release();
      std::move(handler)(ec);
    } else {
      auto error = ec ? queue().told(ec, request()) : nullptr;
      Handler handler = release();
      std::move(handler)(std::move(error));
    }
  }

  // The slot is left alone: whoever owned it may be gone already.
  void discard() override { static_cast<void>(release()); }

  Handler release() {
    Handler handler(std::move(handler_));
    const bool in_frame = in_frame_;
    this->~handler_waiter();
    if (!in_frame) rebind(handler).deallocate(this, 1);
    return handler;
  }

  Handler handler_;
  const bool in_frame_;
};

}  // namespace dspu::aio::detail
