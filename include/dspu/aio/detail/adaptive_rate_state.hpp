// All of an adaptive rate but its clock and its timer: the machine, and the queue of those that wait for their turn.
#pragma once

#include "dspu/aio/adaptive_rate_options.hpp"
#include "dspu/aio/detail/wait_queue.hpp"
#include "dspu/aio/stage_facts.hpp"
#include "dspu/core/adaptive_rate_machine.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// What an observer is told of after a call has changed it.
struct adaptive_rate_change {
  double rate = 0;  // calls per second; 0: no limit
  core::learnt_limit learnt{};
  std::int64_t in_flight = 0;
  duration hold{0};
};

class adaptive_rate_state : public wait_queue {
 public:
  using instant = core::instant;
  using call = core::adaptive_rate_machine::call;

  adaptive_rate_state(adaptive_rate_options options, const timekeeper& time);

  // The call goes, if it may and nobody waits.
  std::optional<call> try_enter(instant now);
  // In shadow mode it goes whatever the machine says. `wait` is how long it would have waited; duration::max() for
  // until another call ends.
  call enter_in_shadow(instant now, duration& wait);
  // Suspends: until its turn has come. On cancel: operation_aborted; nothing is counted. Throws: queue_full_error;
  // deadline_error if its turn would come after `deadline`.
  static awaitable<call> wait_for_turn(std::shared_ptr<adaptive_rate_state> self, instant deadline);

  // How a call ended. Returns: what has changed, if anything has.
  std::optional<adaptive_rate_change> settle(const call& c, verdict v, const core::limit_facts& facts, instant now);
  // It was never sent.
  void give_back(const call& c, instant now);
  // By the functions of now.
  verdict judge(const outcome& o, core::limit_facts& facts) const;
  bool classifies() const { return classifies_.load(std::memory_order_relaxed); }
  bool shadow() const { return shadow_.load(std::memory_order_relaxed); }

  void reconfigure(adaptive_rate_options options);
  adaptive_rate_options options() const;
  std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  bool is_fresh(instant now) const;
  adaptive_rate_statistics statistics(instant now) const;
  stage_facts facts() const;

  instant now() const { return time_->now(); }

 protected:
  // Calls wake(plan, its context) at that instant, on that executor; the one armed before is forgotten. The lock is held.
  virtual void arm(const asio::any_io_executor& ex, instant at, std::uint64_t plan) = 0;
  virtual void disarm() = 0;
  void wake(std::uint64_t plan, const asio::execution_context& here);

 private:
  struct initiate_wait;
  // Where a waiter's call is put when its turn has come.
  struct turn : wait_refusal {
    call granted{};
  };

  void wait(waiter_ptr w);
  void went(const waiter& w) override;
  void left() override { plan(now()); }
  void came_back(std::size_t n, waiter_list& going) override;
  void take_back(const waiter& w, waiter_list& going) override;
  instant look_by() const override;
  void resumed(const asio::execution_context* here) override;
  void give_back(double) override;
  void let_go_due(instant now, waiter_list& due, const asio::execution_context* here = nullptr);
  void plan(instant now);
  instant estimate(instant now) const;
  adaptive_rate_change snapshot(instant now) const;

  std::shared_ptr<const adaptive_rate_options> options_;  // guarded by the lock, as all that is not atomic
  core::adaptive_rate_machine machine_;
  double told_rate_ = 0;
  std::int64_t told_concurrency_ = 0;
  instant told_hold_ = instant::min();
  const waiter* planned_ = nullptr;        // who the timer is for
  const wait_group* armed_in_ = nullptr;   // whose context it is in
  instant armed_for_ = instant::max();
  std::uint64_t plan_ = 0;
  std::uint64_t admitted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t waited_ = 0;
  std::uint64_t turned_away_ = 0;
  std::atomic<std::uint64_t> revision_{0};
  std::atomic<bool> shadow_;
  std::atomic<bool> classifies_;
};

template <class Clock>
std::shared_ptr<adaptive_rate_state> make_adaptive_rate_state(adaptive_rate_options options);

}  // namespace dspu::aio::detail
