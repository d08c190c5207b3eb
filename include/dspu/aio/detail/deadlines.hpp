// Deadlines that are rarely reached: adding and removing one is a link in a list.
//
// Operations of one duration end in the order in which they began, so that a context keeps its deadlines in a few lists,
// each in order, and arms one timer for all of them; what falls into no list goes into a tree. The timer is left as it is
// when the earliest deadline goes away: it then wakes early and is set again. It is set, and cancelled once there are no
// deadlines left, by a function posted to the context, so that deadlines that come and go at once cost no timer at all.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// Something that ends at an instant, unless it is removed before.
class timed {
 public:
  timed() = default;
  timed(const timed&) = delete;
  timed& operator=(const timed&) = delete;

 protected:
  ~timed() = default;

 private:
  template <class Clock>
  friend class deadlines;

  // Its time has come, and it is in no list any more. `lock` is held; it must not be while anything is cancelled here,
  // since that may destroy this.
  virtual void expire(std::unique_lock<std::mutex>& lock) = 0;

  timed* next_ = nullptr;
  timed* previous_ = nullptr;
  std::int64_t at_ = 0;  // in the clock's own units
  std::multimap<std::int64_t, timed*>::iterator in_tree_;
  enum class place : std::uint8_t { nowhere, list, tree } place_ = place::nowhere;
};

// An executor of the same context without a strand or lane around it, that does not count as work.
asio::any_io_executor base_of(const asio::any_io_executor& ex);

// Counts the ends of contexts' lives, for those that remember contexts.
extern std::atomic<std::uint64_t> contexts_ended;

// All deadlines of a context, in one clock's time. Thread-safe.
template <class Clock>
class deadlines final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;

  explicit deadlines(asio::execution_context& context) : service(context) {
    for (auto& l : lists_) l.next_ = l.previous_ = &l;
  }

  // Those of the context of `ex`.
  static deadlines& of(const asio::any_io_executor& ex) {
    struct remembered {
      asio::execution_context* context = nullptr;
      deadlines* found = nullptr;
      std::uint64_t ended = 0;
    };
    static thread_local remembered last;
    auto& context = asio::query(ex, asio::execution::context);
    const auto ended = contexts_ended.load(std::memory_order_acquire);
    if (last.context != &context || last.ended != ended) {
      last = {&context, &asio::use_service<deadlines>(context), ended};
      last.found->set_base(ex);
    }
    return *last.found;
  }

  void add(timed& t, typename Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    t.at_ = at.time_since_epoch().count();
    for (auto& l : lists_) {
      if (l.next_ != &l && l.previous_->at_ > t.at_) continue;
      t.previous_ = l.previous_;
      t.next_ = &l;
      t.previous_->next_ = l.previous_ = &t;
      t.place_ = timed::place::list;
      break;
    }
    if (t.place_ == timed::place::nowhere) {
      t.in_tree_ = others_.emplace(t.at_, &t);
      t.place_ = timed::place::tree;
    }
    ++size_;
    if (!armed_for_ || *armed_for_ > t.at_) tend_later();
  }

  // False if it has expired.
  bool remove(timed& t) {
    const std::lock_guard lock(mutex_);
    if (t.place_ == timed::place::nowhere) return false;
    take_out(t);
    if (size_ == 0 && armed_for_) tend_later();
    return true;
  }

 private:
  struct anchor final : timed {
    void expire(std::unique_lock<std::mutex>&) override {}
  };

  void shutdown() override {
    contexts_ended.fetch_add(1, std::memory_order_release);
    const std::lock_guard lock(mutex_);
    down_ = true;
    timer_.reset();
  }

  void set_base(const asio::any_io_executor& ex) {
    const std::lock_guard lock(mutex_);
    if (!base_) base_ = base_of(ex);
  }

  void take_out(timed& t) {
    if (t.place_ == timed::place::list) {
      t.previous_->next_ = t.next_;
      t.next_->previous_ = t.previous_;
    } else {
      others_.erase(t.in_tree_);
    }
    t.place_ = timed::place::nowhere;
    --size_;
  }

  timed* earliest() {
    timed* first = others_.empty() ? nullptr : others_.begin()->second;
    for (auto& l : lists_) {
      if (l.next_ != &l && (first == nullptr || l.next_->at_ < first->at_)) first = l.next_;
    }
    return first;
  }

  void tend_later() {
    if (tending_ || down_) return;
    tending_ = true;
    asio::post(base_, [this] {
      const std::lock_guard lock(mutex_);
      tending_ = false;
      tend();
    });
  }

  // Sets the timer to the earliest deadline, if it is set to a later one or not at all.
  void tend() {
    if (down_) return;
    const auto* const first = earliest();
    if (first == nullptr) {
      armed_for_.reset();
      timer_.reset();
      return;
    }
    if (armed_for_ && *armed_for_ <= first->at_) return;
    armed_for_ = first->at_;
    timer_.emplace(base_, typename Clock::time_point{typename Clock::duration{first->at_}});
    timer_->async_wait([this, armed = ++armings_](error_code ec) {
      if (!ec) fire(armed);
    });
  }

  void fire(std::uint64_t armed) {
    std::unique_lock lock(mutex_);
    if (armed != armings_) return;  // it was set anew just now
    armed_for_.reset();
    try {
      while (auto* const first = earliest()) {
        if (first->at_ > Clock::now().time_since_epoch().count()) break;
        take_out(*first);
        first->expire(lock);
        if (!lock.owns_lock()) lock.lock();
      }
    } catch (...) {  // what a cancellation threw goes to the event loop; the others are not to suffer
      if (!lock.owns_lock()) lock.lock();
      tend_later();
      throw;
    }
    tend();
  }

  static constexpr std::size_t most_lists = 8;

  std::mutex mutex_;
  std::array<anchor, most_lists> lists_;
  std::multimap<std::int64_t, timed*> others_;
  std::size_t size_ = 0;
  asio::any_io_executor base_;
  std::optional<asio::basic_waitable_timer<Clock>> timer_;
  std::optional<std::int64_t> armed_for_;
  std::uint64_t armings_ = 0;
  bool tending_ = false;  // tend() is on its way
  bool down_ = false;
};

}  // namespace dspu::aio::detail
