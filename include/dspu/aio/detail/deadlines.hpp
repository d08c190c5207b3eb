// Deadlines that are rarely reached: adding and removing one is a link in a list.
//
// Operations of one duration end in the order in which they began, so that a context keeps its deadlines in a few lists,
// each in order, and arms one timer for all of them; what falls into no list goes into a tree. The timer is left as it is
// when the earliest deadline goes away: it then wakes early and is set again. It is set, and cancelled once there are no
// deadlines left, by a function posted to the context, so that deadlines that come and go at once cost no timer at all.
//
// Nothing is allocated but the timer's wait. If there is no memory for that, it is tried again in the loop's next turn.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/posted.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// Something that ends at an instant, unless it is removed before. It must be removed before it is destroyed.
class timed {
 public:
  timed() = default;
  timed(const timed&) = delete;
  timed& operator=(const timed&) = delete;

 protected:
  ~timed() = default;

 private:
  friend class deadlines;

  // Its time has come, and it is in no list any more. `lock` is held; it must not be while anything is cancelled here,
  // since that may destroy this.
  virtual void expire(std::unique_lock<std::mutex>& lock) = 0;

  // Its context ends first, and it is in no list any more.
  virtual void context_gone() {}

  timed* next_ = nullptr;      // in a list; in the tree, who is to the right,
  timed* previous_ = nullptr;  // and to the left
  timed* parent_ = nullptr;
  std::int64_t at_ = 0;  // in the clock's own units
  enum class place : std::uint8_t { nowhere, list, tree_as_red, tree_as_black } place_ = place::nowhere;
};

// An executor of the same context without a strand or lane around it, that does not count as work.
asio::any_io_executor base_of(const asio::any_io_executor& ex);

// All deadlines of a context, in one clock's time; the timer and the clock are those of impl/deadlines.ipp. Thread-safe.
class deadlines : private posted {  // by which the timer is set
 public:
  deadlines(const deadlines&) = delete;
  deadlines& operator=(const deadlines&) = delete;

  template <class Clock, class Duration>
  void add(timed& t, std::chrono::time_point<Clock, Duration> at) {
    add(t, at.time_since_epoch().count());
  }
  // In the clock's own units. Throws: what the context's executor throws if it is of a kind that posts by allocating.
  void add(timed& t, std::int64_t at);
  // False if it has expired.
  bool remove(timed& t);

 protected:
  deadlines();
  ~deadlines() = default;

  void set_base(const asio::any_io_executor& ex);
  // The context ends: nothing is armed any more.
  void shut_down();
  // The timer that was armed under that number rings.
  void fire(std::uint64_t armed);
  // Its wait was destroyed instead, for lack of memory or because the context ends.
  void lose(std::uint64_t armed);

 private:
  struct anchor final : timed {
    void expire(std::unique_lock<std::mutex>&) override {}
  };

  // The lock is held. Instead of the timer armed before, one that calls fire(number).
  virtual void arm(const asio::any_io_executor& base, std::int64_t at, std::uint64_t number) = 0;
  virtual void disarm() = 0;
  virtual std::int64_t now() const = 0;

  struct tree_traits;
  struct tree;

  void take_out(timed& t);
  timed* earliest();
  bool must_tend();
  void tend();
  void on_arrival() override;
  void on_shutdown() override;

  static constexpr std::size_t most_lists = 8;

  std::mutex mutex_;
  std::array<anchor, most_lists> lists_;
  anchor others_;  // the tree's
  std::size_t size_ = 0;
  asio::any_io_executor base_;
  std::optional<std::int64_t> armed_for_;
  std::uint64_t armings_ = 0;
  bool tending_ = false;  // tend() is on its way
  bool down_ = false;
};

// Those of the context of `ex`. The body is in impl/deadlines.ipp.
template <class Clock>
deadlines& deadlines_of(const asio::any_io_executor& ex);

}  // namespace dspu::aio::detail
