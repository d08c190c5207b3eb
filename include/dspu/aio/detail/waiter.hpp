// One suspended operation in a queue (detail/wait_queue.hpp).
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

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>

namespace dspu::aio::detail {

class wait_group;
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
  // What it is told of the end of its wait, as an exception; null for success.
  std::exception_ptr told(error_code ec) const;

 private:
  friend class wait_group;
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
  wait_group* group_ = nullptr;     // of its context, while it is queued or called; guarded by the queue's lock
  asio::any_io_executor executor_;  // tracks work: the context does not run dry while somebody waits
  wait_request request_;
  bool on_loop_;             // its executor is an io_context's own: any handler of that may call it
  bool granted_ = false;     // it holds what it asked for; guarded by the queue's lock while called_
  bool on_the_way_ = false;  // taken out, and not yet posted: its context waits for that before it goes away
  // Guarded by the queue's lock.
  std::uint64_t number_ = 0;  // by arrival in the queue
  bool queued_ = false;     // true until somebody takes it out
  bool called_ = false;     // granted, with a function on its way to its executor that will collect the grant
  bool late_ = false;       // called, and seen not to have come
  bool cancelled_ = false;  // while called_
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

  // Completes all, by post: neighbours of one loop by one function. But those that were not called, and whose executor is
  // the loop `here`, in a handler of which we are, are completed at once.
  void complete(error_code ec, const asio::execution_context* here = nullptr) {
    if (!empty()) complete_all(ec, here);
  }

 private:
  friend class wait_queue;

  void discard_all();
  void complete_all(error_code ec, const asio::execution_context* here);
  waiter& front() { return waiter::in_queue(head_.next); }
  void post_front(error_code ec);
  void post_neighbours(error_code ec);
  static void arrive(waiter_list all, error_code ec, bool on_loop);
  void call(error_code ec);

  waiter_links head_;
};

struct waiter_cancellation {
  waiter* target;
  void operator()(asio::cancellation_type_t) const;
};

// A coroutine's wait, in its frame: what it waits for, and room for the waiter.
struct own_wait {
  explicit own_wait(const wait_request& r) : request(r) {}

  wait_request request;
  alignas(std::max_align_t) std::byte room[208];
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
      auto error = told(ec);
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
