// A light strand for one child: an executor that runs one function at a time on a context with several threads.
//
// A strand queues every function and takes it through the context twice. Here a function goes to the context as it is,
// and enters the lane when it runs: one compare-and-swap, since the functions of one coroutine rarely meet. One that
// finds the lane taken is kept in it, and whoever leaves posts what was kept. What enters the lane is hence not in the
// order of posting, if several threads run the context. Once a function is posted, none of this allocates.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/posted.hpp"

#include <atomic>
#include <cstddef>
#include <utility>

namespace dspu::aio::detail {

class lane final : private posted {  // by which those who were kept go back through the context
 public:
  // Something to be done on this thread once it has left the lane.
  class sequel {
   public:
    virtual void resume() = 0;
    virtual void resume_by_post() = 0;

   protected:
    ~sequel() = default;
  };

  // While this thread is in a lane that it has entered.
  class scope {
   public:
    explicit scope(lane& l);
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope();

    // Leaves, then does what is to be done after it.
    void leave();
    // The same, of a lane that is unshared().
    void leave_unshared();
    // Asks this thread's innermost scope, if that is one in a lane on `base`. False if it is not.
    static bool do_after(sequel& s, const asio::any_io_executor& base);

   private:
    friend class lane;
    lane* lane_;
    scope* outer_;
    sequel* sequel_ = nullptr;
  };

  lane(asio::any_io_executor base, loop_queue& queue) : base_(std::move(base)), queue_(queue) {}

  // Runs p in it, now or when it is free. On a thread of its context.
  void enter(posted& p);
  bool try_enter() {
    posted* expected = nullptr;
    return state_.compare_exchange_strong(expected, taken(), std::memory_order_acquire, std::memory_order_relaxed);
  }
  // Whether only one refers to it: then nobody is in it, or on the way to it, without that one's knowledge.
  bool unshared() const { return references_.load(std::memory_order_acquire) == 1; }
  void enter_unshared() { state_.store(taken(), std::memory_order_relaxed); }
  // Whether this thread is in it.
  bool runs_here() const;
  const asio::any_io_executor& base() const { return base_; }
  loop_queue& queue() const { return queue_; }

 private:
  friend class lane_ref;
  friend class posted;

  ~lane() = default;
  void refer() { references_.fetch_add(1, std::memory_order_relaxed); }
  posted* taken() { return this; }  // stands for nobody
  bool keep(posted& p);
  void exit();
  void send_kept();
  posted* take_kept() { return std::exchange(kept_, kept_->next_); }
  void on_arrival() override;
  void on_shutdown() override;

  const asio::any_io_executor base_;
  loop_queue& queue_;
  std::atomic<int> references_{0};
  std::atomic<posted*> state_{nullptr};  // null: free; taken(): entered; else: entered, and the newest of those kept
  posted* kept_ = nullptr;               // those on their way back through the context, the oldest first
};

// A share in a lane.
class lane_ref {
 public:
  static lane_ref make(const asio::any_io_executor& base, loop_queue& queue);
  // Takes over a reference that was counted.
  static lane_ref adopt(lane& l) { return lane_ref(l); }
  lane_ref(const lane_ref& other) noexcept : lane_(other.lane_) { lane_->refer(); }
  lane_ref(lane_ref&& other) noexcept : lane_(std::exchange(other.lane_, nullptr)) {}
  lane_ref& operator=(lane_ref other) noexcept {
    std::swap(lane_, other.lane_);
    return *this;
  }
  ~lane_ref() {
    if (lane_ != nullptr && lane_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(lane_);
  }
  lane& operator*() const { return *lane_; }
  lane* operator->() const { return lane_; }
  friend bool operator==(const lane_ref&, const lane_ref&) = default;

 private:
  friend class lane;
  explicit lane_ref(lane& l) : lane_(&l) {}
  static void destroy(lane* l);

  lane* lane_;
};

// The lane behind a lane's executor as make_lane gave it, also if it tracks work; null if it is none.
lane* lane_of(const asio::any_io_executor& ex);

// A new lane on `ex`, a plain executor of an io_context or a thread_pool; a strand on anything else.
asio::any_io_executor make_lane(const asio::any_io_executor& ex);

}  // namespace dspu::aio::detail
