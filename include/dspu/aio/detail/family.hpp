// Running children: the one task-and-cancel core under timeout, gather, and whatever else starts operations of its own.
//
// A family lives in its parent's coroutine frame, and so do the children. The parent starts them and awaits join(),
// which does not return before all of them have ended. Cancelling the parent while it joins cancels them.
//
//   - If the parent's executor is serial (detail/serial.hpp), children run on it, and start at once, inside start().
//   - Otherwise each child has a lane of its own (detail/lane.hpp), and everything done to it from outside is done there:
//     starting it, and emitting its cancellation signal. What is posted counts like a child: join() waits for it.
//
// Once a child has been started nothing here allocates, unless the executor is of a kind that posts by allocating (see
// detail/posted.hpp): so children can always be cancelled, and are always waited for. If start() throws, the child does not
// run, unless what it awaits threw as it was to begin, which in Asio 1.81 destroys a coroutine: it then ends in a moment, with
// an error. The parent cancels the others, joins, and throws.
//
// From the first start() to the end of join() the parent must not throw, and must await nothing else that may.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/launch.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/aio/detail/serial.hpp"
#include "dspu/aio/detail/suspension.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace dspu::aio::detail {

class child;

class family final : private lane::sequel, private posted {  // by which the parent is resumed
 public:
  explicit family(asio::any_io_executor parent) : parent_(std::move(parent)), serial_(is_serial(parent_)) {}
  family(const family&) = delete;
  family& operator=(const family&) = delete;

  bool serial() const { return serial_; }
  // Whether join() would return at once.
  bool all_ended() const { return shares_.load(std::memory_order_acquire) == 1; }

  // To be awaited by name, once; after it, no child may be started. Returns when all children have ended. The parent's
  // cancellation reaches the children: that which is to come, and what has come `already`. After it: rethrow_failure().
  auto join(asio::cancellation_type_t already = asio::cancellation_type::none) {
    return joining{this, true, already};
  }
  // The same, but the parent's cancellation does not reach the children.
  auto join_uncancelled() { return joining{this, false, asio::cancellation_type::none}; }

  // Throws bad_alloc if the parent's cancellation could not have reached the children: join() cancelled them instead.
  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
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

  struct joining {
    family* self;
    bool cancels;  // the parent's cancellation reaches the children
    asio::cancellation_type_t already;
    coroutine_thread* operator()(frame_base* parent) const {
      self->wait(*parent, cancels, already);
      return nullptr;
    }
  };

  void wait(frame_base& parent, bool cancels, asio::cancellation_type_t already);
  void add() { shares_.fetch_add(1, std::memory_order_relaxed); }
  // A share, unless all have ended: then the parent's resumption is on its way, and must not be begun again.
  bool try_add() {
    int n = shares_.load(std::memory_order_relaxed);
    while (n > 0 && !shares_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) {
    }
    return n > 0;
  }
  void end();
  void abandon() noexcept;
  void resume() override { waiting_.resume(); }
  void resume_by_post() override { post_surely_to(parent_); }
  void on_arrival() override { resume(); }
  void on_shutdown() override { waiting_.destroy(); }
  // How it is cancelled already, if it is.
  asio::cancellation_type_t adopt(child& c);

  asio::any_io_executor parent_;
  const bool serial_;
  std::atomic<int> shares_{1};  // the parent's own, each child's, and each that is posted
  std::atomic<bool> abandoned_{false};
  mutable std::mutex mutex_;  // guards the list of children, and how they are cancelled
  child* children_ = nullptr;
  asio::cancellation_type_t cancelled_ = asio::cancellation_type::none;
  std::exception_ptr failure_;
  parked waiting_;  // the parent
};

// Keeps join() from returning. One that is destroyed before end() belonged to a coroutine that was destroyed.
class share {
 public:
  explicit share(family& f) : family_(&f) { f.add(); }
  // Nothing, if all have ended already.
  static std::optional<share> of_the_living(family& f) {
    if (!f.try_add()) return std::nullopt;
    return share(f, counted{});
  }
  // One that was released.
  static share adopt(family& f) { return share(f, counted{}); }
  share(share&& other) noexcept : family_(std::exchange(other.family_, nullptr)) {}
  share& operator=(share&&) = delete;
  ~share() {
    if (family_ != nullptr) family_->abandon();
  }
  void end() { std::exchange(family_, nullptr)->end(); }
  // It stays counted.
  void release() { family_ = nullptr; }

 private:
  struct counted {};
  share(family& f, counted) : family_(&f) {}

  family* family_;
};

class child final : private posted {  // to its executor
 public:
  explicit child(family& home) : home_(home), executor_(home.serial() ? home.parent_ : make_lane(home.parent_)) {}

  // Runs `op` as a thread of execution of its own; its result goes to `out`, and is there after join().
  template <class T>
  void start(awaitable<T> op, result_slot<T>& out) {
    prepare(main(this, std::move(op), &out));
    home_.serial() ? begin_here() : begin_there();
  }

  // The same, but always inside the call as far as it goes without waiting: for a parent that starts nothing else.
  template <class T>
  void start_here(awaitable<T> op, result_slot<T>& out) {
    prepare(main(this, std::move(op), &out));
    begin_in_a_new_lane();
  }

  // Emits the child's cancellation signal. From any thread, as long as the child exists and join() has not returned;
  // but if the parent's executor is serial, on that.
  void cancel(asio::cancellation_type_t type);

  family& home() const { return home_; }
  const asio::any_io_executor& executor() const { return executor_; }

 private:
  friend class family;

  // Sees to it that there is a result after join(), also if the coroutine is destroyed.
  template <class T>
  struct some_outcome {
    result_slot<T>& out;
    ~some_outcome() {
      if (out.empty()) out.fail(destroyed());
    }
  };
  static std::exception_ptr destroyed() noexcept;

  template <class T>
  static thread_main main(child* self, awaitable<T> op, result_slot<T>* out);

  void prepare(thread_main body);
  void begin_here();
  void begin_there();
  void begin_in_a_new_lane();
  void ask(share s, unsigned what);
  void on_arrival() override;
  void on_shutdown() override;

  family& home_;
  asio::any_io_executor executor_;
  asio::cancellation_signal signal_;
  std::optional<thread_of_execution> thread_;
  child* next_ = nullptr;
  std::atomic<unsigned> asked_{0};  // what it is posted for, as long as it is
  bool ended_ = false;              // touched on executor_ only
};

template <class T>
auto child::main(child* self, awaitable<T> op, result_slot<T>* out) -> thread_main {
  share s(self->home_);
  {
    const some_outcome<T> ensured{*out};
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
  }
  self->ended_ = true;
  s.end();
}

}  // namespace dspu::aio::detail
