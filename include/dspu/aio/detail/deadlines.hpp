// Deadlines that are rarely reached: adding and removing one is a link in a list.
//
// Operations of one duration end in the order in which they began, so that a context keeps its deadlines in a few lists,
// each in order, and arms one timer for all of them; what falls into no list goes into a tree. The timer is left as it is
// when the earliest deadline goes away: it then wakes early and is set again. It is set, and cancelled once there are no
// deadlines left, by a function posted to the context, so that deadlines that come and go at once cost no timer at all.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <array>
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

// All deadlines of a context, in one clock's time; the timer and the clock are those of impl/deadlines.ipp. Thread-safe.
class deadlines {
 public:
  deadlines(const deadlines&) = delete;
  deadlines& operator=(const deadlines&) = delete;

  template <class Clock, class Duration>
  void add(timed& t, std::chrono::time_point<Clock, Duration> at) {
    add(t, at.time_since_epoch().count());
  }
  // In the clock's own units. Throws: std::bad_alloc; nothing has changed then.
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

 private:
  struct anchor final : timed {
    void expire(std::unique_lock<std::mutex>&) override {}
  };

  // The lock is held. Instead of the timer armed before, one that calls fire(number).
  virtual void arm(const asio::any_io_executor& base, std::int64_t at, std::uint64_t number) = 0;
  virtual void disarm() = 0;
  virtual std::int64_t now() const = 0;

  void take_out(timed& t);
  timed* earliest();
  void tend_later();
  void tend();

  static constexpr std::size_t most_lists = 8;

  std::mutex mutex_;
  std::array<anchor, most_lists> lists_;
  std::multimap<std::int64_t, timed*> others_;
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
