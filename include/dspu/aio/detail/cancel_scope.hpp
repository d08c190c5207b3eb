// A stretch of a coroutine that can be cancelled by itself, without a thread of execution of its own.
//
//   cancel_scope scope;
//   time_limit<Clock> limit(scope, end);          // interrupts at that instant, if op is suspended by then
//   auto step = scope.run<T>(op);                 // T: what the coroutine around gives
//   co_await step;                                // runs op to its end, or until somebody cancels it
//   scope.close();
//   … op.await_resume() …
//
// Asio gives a coroutine one executor and one cancellation state, in its bottom frame. While the scope is open that holds
// the scope's own: a state that interrupt() cancels as the caller does; and, where several threads may run the context, a
// lane (detail/lane.hpp), so that what resumes the operation and what cancels it cannot meet.
//
// The scope resumes the operation itself, so that it knows whether it ever suspends. Only then are alarms set, and the
// caller's cancellation passed on: a call that ends at once costs an exchange of pointers. If there is no memory for that, the
// operation is cancelled, and close() throws; once it is done, neither alarms nor the caller's cancellation allocate.
//
// Between run() and close() the coroutine must be nowhere but in that await. Once an operation has suspended, the coroutine
// goes on inside the lane until it next suspends; until it ends its call, it must suspend only inside the scope.
#pragma once

#include "dspu/aio/detail/bottom_frame.hpp"
#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/suspension.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>

namespace dspu::aio::detail {

class cancel_scope;
class harness;

// Something to be done at an instant while a scope's operation is suspended, unless it is disarmed before. Those of one
// scope are disarmed in the reverse of the order in which they were planned.
class scope_alarm : private timed {
 public:
  scope_alarm() = default;

  // After it, nothing rings. Returns: whether its time had come.
  bool disarm();

 protected:
  ~scope_alarm() = default;

  void plan(cancel_scope& scope);

 private:
  friend class cancel_scope;
  friend class harness;

  virtual void set(const asio::any_io_executor& ex, timed& self) = 0;
  virtual void unset(timed& self) = 0;
  // On the scope's executor. May destroy this.
  virtual void ring(cancel_scope& scope) = 0;
  void expire(std::unique_lock<std::mutex>& lock) override;

  cancel_scope* scope_ = nullptr;   // null: not planned
  scope_alarm* before_ = nullptr;   // planned before this one
  bool set_ = false;
  std::atomic<bool> rang_{false};   // its time has come
  bool rung_ = false;               // ring() was called
};

// In that clock's time.
template <class Clock>
class scope_alarm_at : public scope_alarm {
 public:
  // Requires: it is not planned. The clock's last instant never comes.
  void plan_at(cancel_scope& scope, typename Clock::time_point t) {
    at_ = t;
    if (t != Clock::time_point::max()) plan(scope);
  }

 protected:
  ~scope_alarm_at() { disarm(); }

 private:
  void set(const asio::any_io_executor& ex, detail::timed& self) override {
    all_ = &deadlines_of<Clock>(ex);
    all_->add(self, at_);
  }
  void unset(detail::timed& self) override { all_->remove(self); }

  typename Clock::time_point at_{};
  deadlines* all_ = nullptr;
};

class cancel_scope {
 public:
  cancel_scope() = default;
  cancel_scope(const cancel_scope&) = delete;
  cancel_scope& operator=(const cancel_scope&) = delete;
  ~cancel_scope();

  // To be awaited by name, in a coroutine that gives U. `throws`: whether what op awaits throws once it is cancelled.
  // Suspends: as op does.
  template <class U, class T>
  auto run(awaitable<T>& op, bool throws = true) {
    op_ = &op;
    throws_ = throws;
    return running<U, T>{this};
  }
  // Throws: what run() could not do, for lack of memory; op was then cancelled, or not begun.
  void close();
  // As that of a cancellation_guard: it is begun in any case.
  static constexpr bool refused() { return false; }

  // Cancels what runs. On the scope's executor; the call may be over after it.
  void interrupt(asio::cancellation_type_t type);
  // Forgets that it was interrupted. Requires: it is closed.
  void revive();
  // Whether the coroutine's caller has cancelled it. Requires: run() was awaited once.
  bool cancelled_by_caller() const;

 private:
  friend class scope_alarm;
  using access = bottom_frame;

  template <class U, class T>
  struct running {  // kept small: coroutines hold two of them for each await
    cancel_scope* self;
    coroutine_thread* operator()(frame_base* frame) const {
      using promise = asio::detail::awaitable_frame<U, asio::any_io_executor>;
      cancel_scope& scope = *self;
      if (auto* const t = scope.open(*frame)) {
        const auto here = asio::detail::coroutine_handle<promise>::from_promise(static_cast<promise&>(*frame));
        static_cast<awaitable<T>*>(scope.op_)->await_suspend(here);
        scope.pump(*frame, *t);
      }
      return nullptr;
    }
  };
  class watch;
  struct forward;
  friend class harness;

  enum class ground : std::uint8_t {
    unknown,
    one_thread,  // an io_context of one thread
    serial,      // a strand, or a lane
    shared,      // what lanes are for
    other,       // takes a strand
  };

  coroutine_thread* open(frame_base& frame) noexcept;
  void enter(coroutine_thread& t);
  void pump(frame_base& frame, coroutine_thread& t);
  bool resume(access::frame& bottom, frame_base& frame, coroutine_thread& t);
  void start_on_strand(access::frame& bottom);
  void suspended();
  void arm();
  scope_alarm* next_to_ring();
  void restore();
  void release();
  static ground ground_of(const asio::any_io_executor& ex);

  void* op_ = nullptr;  // what is run
  access::frame* bottom_ = nullptr;
  harness* harness_ = nullptr;
  scope_alarm* alarms_ = nullptr;  // the one planned last
  bool* gone_ = nullptr;     // set when the coroutine goes on, for a resume() further down this thread's stack
  std::exception_ptr failure_;
  asio::cancellation_slot outer_parent_;
  asio::cancellation_state outer_;
  bool throws_ = true;
  bool outer_throws_ = true;
  bool open_ = false;
  bool passes_on_ = false;  // the caller's cancellation
  bool inside_ = false;     // an operation has suspended: the coroutine goes on in the lane
  ground ground_ = ground::unknown;
};

// Interrupts the scope at an instant.
template <class Clock>
class time_limit final : public scope_alarm_at<Clock> {
 public:
  time_limit(cancel_scope& scope, typename Clock::time_point end) { this->plan_at(scope, end); }

 private:
  void ring(cancel_scope& scope) override { scope.interrupt(asio::cancellation_type::terminal); }
};

}  // namespace dspu::aio::detail
