// All of a limiter but its clock and its timer: the bucket's word, the line, and who is next.
//
// The *word* holds the level of the first bucket, doubled; bit 0 (`closed`) keeps those who come by from
// taking, and the sign bit (`look`) tells them to take the lock and look. While the word is closed, only who
// holds the lock changes it. A word and the bucket that it belongs to make a *lane*. Another rate makes a new
// lane; the old one stays closed for ever, so that whoever still looks at it takes nothing there.
#pragma once

#include "dspu/aio/detail/wait_queue.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/core/token_buckets.hpp"
#include "dspu/core/weighted_turns.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// A reservation's place in the line.
class reserved_place final : public waiter {
 public:
  reserved_place(std::shared_ptr<wait_queue> queue, const wait_request& request)
      : waiter(std::move(queue), request) {}

  std::optional<core::instant> granted_at{};  // guarded by the queue's lock

 private:
  void complete(error_code) override {}
  void discard() override {}
};

[[noreturn]] void throw_aborted();

class limiter_state : public wait_queue {
 public:
  using instant = core::instant;

  limiter_state(const rate_limiter_options& options, const timekeeper& time);

  // Takes n tokens if they are there and nobody waits. In shadow mode always says that it did; `waits` and
  // `deadline` tell then what would have been.
  [[gnu::always_inline]] bool try_take(double n, instant now, bool waits = false, instant deadline = instant::max()) {
    lane& l = *lane_.load(std::memory_order_acquire);
    const auto units = l.bucket.units_of(n);
    auto word = l.word.load(std::memory_order_relaxed);
    for (;;) {
      if ((word & closed) != 0) return must_look(word, now, waits) && take_with_lock(n, now, waits, deadline);
      auto level = word >> 1;
      if (!l.bucket.try_take(level, units, now)) return false;
      if (l.word.compare_exchange_weak(word, level << 1, std::memory_order_acq_rel,
                                       std::memory_order_relaxed)) {
        if (counts_all.load(std::memory_order_relaxed)) granted_.fetch_add(1, std::memory_order_relaxed);
        return true;
      }
    }
  }
  // In shadow mode: takes, and says when the tokens would have been there; instant::min() if they were.
  instant take_as_shadow(double n, instant now, instant deadline);
  void count_refusal() {
    if (counts_all.load(std::memory_order_relaxed)) refused_.fetch_add(1, std::memory_order_relaxed);
  }

  // Throws: std::invalid_argument unless 0 < n <= capacity.
  double checked(double n) const {
    if (!(n > 0 && n <= capacity())) reject_tokens(n);
    return n;
  }
  [[noreturn]] void reject_tokens(double n) const;

  // Puts `w` in the line, or completes it: granted, if it is `new_here` and finds tokens, or refused. Others
  // have just found none; they queue even if there are some by now, so that those who come between this and
  // their resumption do not go first.
  void wait(waiter_ptr w, bool new_here);
  // Why a wait would be in vain, if its deadline cannot be met.
  std::optional<wait_refusal> refusal(const wait_request& request);

  // Throws what a coroutine is told of that waited in vain; nothing if it was not refused.
  void rethrow_as_refused(error_code ec, double n, const wait_refusal& no) const;
  std::exception_ptr told(error_code ec, const wait_request& request) const override;

  // The same for a reservation's place. Throws: queue_full_error, deadline_error.
  void reserve(reserved_place& place);
  instant ready_at(reserved_place& place);  // instant::max() if it will never be
  bool use(reserved_place& place);          // false: too early
  // Its tokens go back, or its place in the line.
  void drop(reserved_place& place);

  // Puts back what was taken and not used: those in line move up.
  void give_back(double n) override;
  void resumed(const asio::execution_context* here) override;
  // Throws: std::invalid_argument, and changes nothing then.
  void set_bandwidth(double rate, duration per);
  void set_capacity(double capacity);
  void drain(instant until);
  void reconfigure(const rate_limiter_options& options);
  rate_limiter_options options() const;

  core::token_bucket bucket() const;
  bool is_fresh(instant now);
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  double capacity() const { return capacity_.load(std::memory_order_relaxed); }
  double available(instant now);
  std::size_t waiters();
  rate_limiter_statistics statistics();

  instant now() const { return time_->now(); }

  // Changed with the lock, read without it by those who come by.
  std::atomic<std::size_t> max_waiters;
  std::atomic<bool> shadow;
  std::atomic<bool> counts_all;

 protected:
  // Calls wake(plan, its context) at that instant, on that executor; the one armed before is forgotten. The
  // lock is held.
  virtual void arm(const asio::any_io_executor& ex, instant at, std::uint64_t plan) = 0;
  virtual void disarm() = 0;
  void wake(std::uint64_t plan, const asio::execution_context& here);

  duration wake_interval_;  // guarded by the lock

 private:
  static constexpr std::int64_t closed = 1;
  static constexpr std::int64_t look = std::numeric_limits<std::int64_t>::min();
  // So many lanes are kept: nobody knows who still looks at an old one. After them, the last stays closed for
  // good, and each acquisition takes the lock.
  static constexpr std::size_t most_lanes = 256;

  struct lane {
    lane(const core::token_bucket& b, std::int64_t w) : bucket(b), word(w) {}
    const core::token_bucket bucket;
    std::atomic<std::int64_t> word;
  };
  enum class seen { served, refused, enough };
  struct refusals {
    waiter_list late;
    waiter_list too_large;
    void complete();
  };
  class session;

  // Whether who finds the word closed takes the lock; else it has found that somebody waits. Who waits itself then takes it
  // anyway. Nobody else may come by to let those go whose timer is in a loop that stands still.
  bool must_look(std::int64_t word, instant now, bool waits) const {
    return word < 0 || (!waits && now.time_since_epoch().count() > overdue_from_.load(std::memory_order_relaxed));
  }
  bool take_with_lock(double n, instant now, bool waits, instant deadline);
  template <class Condition>
  void go_on_if(const Condition& condition, const asio::execution_context* here);
  template <class Change>
  void change(const Change& apply);

  // All of these need the lock.
  instant take_in_shadow(double n, instant now, bool waits, instant deadline);
  error_code admit(waiter_ptr& w, bool new_here, instant now, waiter_list& granted);
  void enter(waiter& w);
  void grant_reserved(instant now);
  void grant_due(instant now, waiter_list& due, const asio::execution_context* here);
  void grant_all_due(waiter_list& due);
  void serve(const waiter& w);
  instant when(reserved_place& place);
  void comes(const waiter& w) override;
  void went(const waiter& w) override;
  void left() override;
  void came_back(std::size_t n, waiter_list& going) override;
  void take_back(const waiter& w, waiter_list& going) override;
  instant look_by() const override;
  // A call that is not collected costs two of them: no more than a late wake makes up for.
  duration patience() const override { return buckets_.lag() / 2; }
  void begin() override;
  void end() override;
  bool overdue(instant at) const { return at.time_since_epoch().count() > overdue_from_.load(std::memory_order_relaxed); }
  void wake_at(instant t);
  waiter* next();
  waiter* first_to_wake();
  template <class Visit>
  void visit_in_order(const wait_request* newcomer, const Visit& visit);
  core::token_buckets::amount ahead_of(const wait_request& newcomer);
  std::optional<wait_refusal> would_exceed(const wait_request& request, instant now);
  void refuse_hopeless(instant now, refusals& refused);
  void plan(instant earliest);
  void go_on(instant now, waiter_list& due, refusals& refused, const asio::execution_context* here = nullptr);
  void replace(const core::token_bucket_options& options, instant at);
  void first_bucket_changed();
  void let_all_go(instant now, waiter_list& due);
  void open_lane(std::int64_t word);

  std::atomic<lane*> lane_{nullptr};
  std::atomic<std::uint64_t> granted_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> revision_{0};
  std::deque<lane> lanes_;
  core::token_buckets buckets_;   // the first one's level is in the lane's word, but while the lock is held
  std::atomic<double> capacity_;  // the least of theirs
  core::weighted_turns turns_;
  core::token_buckets::amount ahead_;        // of all who wait
  bool mixed_ = false;                       // several classes have waited since the line was last empty
  bool at_risk_ = false;                     // somebody's deadline may not be met any more
  std::size_t bounded_ = 0;                  // those who wait with a deadline
  instant first_deadline_ = instant::max();  // of theirs, or earlier
  instant looked_ = instant::min();          // when reserved places were last granted
  const waiter* planned_ = nullptr;          // who the timer is for
  const wait_group* armed_in_ = nullptr;     // whose context the timer is in
  instant planned_at_ = instant::max();
  instant wake_at_ = instant::max();         // when the timer wakes
  std::atomic<std::int64_t> overdue_from_{std::numeric_limits<std::int64_t>::max()};  // after wake_at_
  std::uint64_t plan_ = 0;
  std::uint64_t waited_ = 0;
  bool out_of_lanes_ = false;
  bool locked_for_good_;
};

template <class Clock>
std::shared_ptr<limiter_state> make_limiter_state(const rate_limiter_options& options);

}  // namespace dspu::aio::detail
