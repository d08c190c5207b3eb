// Running children: the one task-and-cancel core under timeout, gather, and whatever else starts operations of its own.
//
// A family lives in its parent's coroutine frame, and so do the children. The parent starts them and awaits join(),
// which does not return before all of them have ended. Cancelling the parent while it joins cancels them.
//
//   - If the parent's executor is serial (detail/serial.hpp), children run on it, and start at once, inside start().
//   - Otherwise each child has a lane of its own (detail/lane.hpp), and everything done to it from outside is done there:
//     starting it, and emitting its cancellation signal. What is posted counts like a child: join() waits for it.
//
// The parent must have thrown-on-cancellation switched off from before the first start() until after join(), or else an
// await would throw past its running children.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/launch.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cassert>
#include <mutex>
#include <optional>
#include <utility>

namespace dspu::aio::detail {

class child;

class family final : private lane::sequel {
 public:
  explicit family(asio::any_io_executor parent) : parent_(std::move(parent)), serial_(is_serial(parent_)) {}
  family(const family&) = delete;
  family& operator=(const family&) = delete;

  bool serial() const { return serial_; }
  // Whether join() would return at once.
  bool all_ended() const { return shares_.load(std::memory_order_acquire) == 1; }

  // An operation void() that completes when all children have ended, on the parent's executor. Await it unless
  // all_ended(), exactly once; after it, no child may be started. The parent's cancellation reaches the children: that
  // which is to come, and what has come `already`.
  auto join(asio::cancellation_type_t already = asio::cancellation_type::none) {
    return asio::async_initiate<const asio::deferred_t&, void()>(initiate_join{this, true, already}, asio::deferred);
  }

  // The same, but the parent's cancellation does not reach the children.
  auto join_uncancelled() {
    return asio::async_initiate<const asio::deferred_t&, void()>(initiate_join{this, false}, asio::deferred);
  }

  // Whether cancel_all() was called, be it by the parent's own cancellation. From any thread.
  bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_ != asio::cancellation_type::none;
  }

  // Cancels all children, those that are yet to be started too. From any thread.
  void cancel_all(asio::cancellation_type_t type);

 private:
  friend class child;
  friend class share;

  // What an awaitable<T> hands to the operation that it awaits. (any_completion_handler of 1.81 would do, but its
  // copy constructor is shadowed by a template, so that posting one recurses without end.)
  using parent_handler = asio::detail::awaitable_async_op_handler<void(), asio::any_io_executor>;

  struct initiate_join {
    family* self;
    bool cancels;  // the parent's cancellation reaches the children
    asio::cancellation_type_t already = asio::cancellation_type::none;
    void operator()(parent_handler handler) const {
      if (already != asio::cancellation_type::none) self->cancel_all(already);
      auto slot = asio::get_associated_cancellation_slot(handler);
      if (cancels && slot.is_connected()) {
        slot.assign([f = self](asio::cancellation_type_t type) { f->cancel_all(type); });
      }
      self->wait(std::move(handler));
    }
  };

  void wait(parent_handler handler);
  void add() { shares_.fetch_add(1, std::memory_order_relaxed); }
  // A share, unless all have ended: then the parent's resumption is on its way, and must not be begun again.
  bool try_add() {
    int n = shares_.load(std::memory_order_relaxed);
    while (n > 0 && !shares_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) {
    }
    return n > 0;
  }
  void drop(bool ended);
  void resume() override;
  void resume_by_post() override;
  // How it is cancelled already, if it is.
  asio::cancellation_type_t adopt(child& c);

  asio::any_io_executor parent_;
  const bool serial_;
  std::atomic<int> shares_{1};  // the parent's own, each child's, and each posted cancellation's
  std::atomic<bool> abandoned_{false};
  mutable std::mutex mutex_;  // guards the list of children, and how they are cancelled
  child* children_ = nullptr;
  asio::cancellation_type_t cancelled_ = asio::cancellation_type::none;
  std::optional<parent_handler> handler_;
};

// Keeps join() from returning. If it is destroyed before end(), its context is shutting down: nobody will be resumed.
class share {
 public:
  explicit share(family& f) : family_(&f) { f.add(); }
  // Nothing, if all have ended already.
  static std::optional<share> of_the_living(family& f) {
    if (!f.try_add()) return std::nullopt;
    return share(f, taken{});
  }
  share(share&& other) noexcept : family_(std::exchange(other.family_, nullptr)) {}
  share& operator=(share&&) = delete;
  ~share() {
    if (family_ != nullptr) family_->drop(false);
  }
  void end() { std::exchange(family_, nullptr)->drop(true); }

 private:
  struct taken {};
  share(family& f, taken) : family_(&f) {}

  family* family_;
};

class child {
 public:
  explicit child(family& home) : home_(home), executor_(home.serial() ? home.parent_ : make_lane(home.parent_)) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  // Runs `op` as a thread of execution of its own; its result goes to `out`.
  template <class T>
  void start(awaitable<T> op, result_slot<T>& out);

  // The same, but always inside the call as far as it goes without waiting: for a parent that starts nothing else.
  template <class T>
  void start_here(awaitable<T> op, result_slot<T>& out);

  // Emits the child's cancellation signal. From any thread, as long as the child exists and join() has not returned;
  // but if the parent's executor is serial, on that.
  void cancel(asio::cancellation_type_t type);
  // The same from the child's own executor, where it may end inside the call.
  void cancel_here(asio::cancellation_type_t type) {
    if (!ended_) signal_.emit(type);
  }

  family& home() const { return home_; }
  const asio::any_io_executor& executor() const { return executor_; }

  // The same by way of a function posted to the child's executor, from any thread; `s` keeps join() from returning.
  void cancel_by_post(share s, asio::cancellation_type_t type);
  std::optional<share> share_of_the_living() { return share::of_the_living(home_); }

 private:
  friend class family;

  template <class T>
  static thread_main main(share s, child* self, awaitable<T> op, result_slot<T>* out);

  family& home_;
  asio::any_io_executor executor_;
  asio::cancellation_signal signal_;
  child* next_ = nullptr;
  bool ended_ = false;  // touched on executor_ only
};

template <class T>
void child::start(awaitable<T> op, result_slot<T>& out) {
  auto body = main(share(home_), this, std::move(op), &out);
  auto thread = make_thread(executor_, std::move(body), signal_.slot());
  // From here on it may be cancelled, and not before its slot is in place.
  const auto cancelled = home_.adopt(*this);
  launch(executor_, home_.serial(), std::move(thread));
  if (cancelled != asio::cancellation_type::none) cancel(cancelled);
}

template <class T>
void child::start_here(awaitable<T> op, result_slot<T>& out) {
  auto* const own = home_.serial() ? nullptr : lane_of(executor_);
  if (own == nullptr) return start(std::move(op), out);
  auto body = main(share(home_), this, std::move(op), &out);
  auto thread = make_thread(executor_, std::move(body), signal_.slot());
  const bool alone = own->try_enter();  // a new lane: there is nobody else yet
  assert(alone);
  static_cast<void>(alone);
  lane::scope in(*own);
  const auto cancelled = home_.adopt(*this);
  if (cancelled != asio::cancellation_type::none) signal_.emit(cancelled);
  thread.launch();
  in.leave();
}

template <class T>
auto child::main(share s, child* self, awaitable<T> op, result_slot<T>* out) -> thread_main {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(op);
      out->emplace();
    } else {
      out->emplace(co_await std::move(op));
    }
  } catch (...) {
    out->fail(std::current_exception());
  }
  self->ended_ = true;
  s.end();
}

}  // namespace dspu::aio::detail
