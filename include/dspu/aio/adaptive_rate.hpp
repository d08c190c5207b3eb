// adaptive_rate: sends calls at the pace that the server bears, learnt from which calls it refuses.
//
//   adaptive_rate pace{{.classify = [](const outcome& o) {
//     const auto* r = o.get_if<response>();
//     return r == nullptr ? load_verdict(o) : r->status == 429 || r->status == 503 ? verdict::failure : verdict::success;
//   }}};
//   auto polite = retry{} | pace;
//   co_await polite.call(fetch, url);
//
// A rate limiter that is not told its rate: there is no limit until the server refuses calls for load. Then it estimates
// the server's rate and bucket, sends evenly at that pace, and tries a little more at times; it also tells limits of calls
// in flight from limits of rate, and is not slowed by refusals at random. docs/adaptive_rate.md explains how, and what it
// reaches; core/adaptive_rate_machine.hpp has the formulas. Nothing goes before the instant that a Retry-After names.
//
// Who has to wait for its turn waits in a queue, first come, first served; nobody overtakes. A waiter that is cancelled
// leaves the queue at once and takes nothing. Put it inside of retries, so that it sees each attempt.
//
// Thread-safety: everything may be called from any thread. A call takes the lock twice, for one decision each; nothing is
// allocated. It must outlive the calls made through it.
#pragma once

#include "dspu/aio/adaptive_rate_options.hpp"
#include "dspu/aio/detail/adaptive_rate_state.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace dspu::aio {

namespace detail {

template <class Clock>
class adaptive_rate_stage;

class adaptive_rate_session : public session_defaults {
 public:
  explicit adaptive_rate_session(std::shared_ptr<adaptive_rate_state>* state) : state_(state) {}
  adaptive_rate_session(const adaptive_rate_session&) = delete;
  adaptive_rate_session& operator=(const adaptive_rate_session&) = delete;
  ~adaptive_rate_session();

  entry enter(run& r, std::size_t level);
  awaitable<void> wait(run& r) { return wait_in_queue(r); }
  bool plain() const { return !(*state_)->classifies(); }
  void succeed(run& r);
  next leave(run& r, std::size_t level, ending e);
  void abandon(run& r) {
    if (call_) settle(r, verdict::ignored, {});
  }

 private:
  awaitable<void> wait_in_queue(run& r);
  void settle(const run& r, verdict v, const limit_facts& facts);

  std::shared_ptr<adaptive_rate_state>* state_;  // the policy's
  run* run_ = nullptr;
  std::uint64_t starts_ = 0;
  std::optional<adaptive_rate_state::call> call_;
};

}  // namespace detail

template <class Clock>
class basic_adaptive_rate : public detail::verbs<basic_adaptive_rate<Clock>> {
 public:
  using options_type = adaptive_rate_options;

  // The right to make one call. Settle it once, with what the server said; destroyed unsettled, it counts as ignored.
  // Thread-safety: one user at a time. It may outlive the policy.
  class permit {
   public:
    permit(permit&& other) noexcept : state_(std::move(other.state_)), call_(other.call_) {}
    permit& operator=(permit&&) = delete;
    ~permit() { settle(verdict::ignored); }

    explicit operator bool() const { return state_ != nullptr; }

    // It took the call, or refused it for load. Settling again does nothing.
    void admitted(const limit_facts& facts = {}) { settle(verdict::success, facts); }
    void refused(const limit_facts& facts = {}) { settle(verdict::failure, facts); }
    void settle(verdict v, const limit_facts& facts = {}) {
      if (const auto state = std::exchange(state_, nullptr)) state->settle(call_, v, facts, now());
    }
    // The call was not made.
    void give_back() {
      if (const auto state = std::exchange(state_, nullptr)) state->give_back(call_, now());
    }

   private:
    friend class basic_adaptive_rate;
    permit() = default;
    permit(std::shared_ptr<detail::adaptive_rate_state> state, const detail::adaptive_rate_state::call& call)
        : state_(std::move(state)), call_(call) {}

    std::shared_ptr<detail::adaptive_rate_state> state_;
    detail::adaptive_rate_state::call call_{};
  };

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_adaptive_rate(adaptive_rate_options options = {})
      : state_(detail::make_adaptive_rate_state<Clock>(std::move(options))) {}
  basic_adaptive_rate(const basic_adaptive_rate&) = delete;
  basic_adaptive_rate& operator=(const basic_adaptive_rate&) = delete;
  // Ends all waits with operation_aborted.
  ~basic_adaptive_rate() { state_->abort_all(); }

  // Waits for its turn. Suspends: only if it has to wait. On cancel: operation_aborted, nothing is taken.
  // Throws: queue_full_error; deadline_error, without suspending, if its turn would come after `deadline`.
  awaitable<permit> acquire(core::instant deadline = core::instant::max()) { return acquire_from(state_, deadline); }
  // Empty if it would have to wait. Never suspends.
  permit try_acquire() {
    const auto call = state_->try_enter(now());
    return call ? permit(state_, *call) : permit();
  }

  // New options while it is in use. What was learnt stays, within the new bounds; `initial_rate` changes nothing any
  // more. In shadow mode all go who wait. Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(adaptive_rate_options options) { state_->reconfigure(std::move(options)); }
  adaptive_rate_options options() const { return state_->options(); }
  // How often that was done.
  std::uint64_t revision() const { return state_->revision(); }
  // Whether it decides as a new one would: nobody is in it or waits, and it has learnt nothing, or has forgotten it.
  bool is_fresh() const { return state_->is_fresh(now()); }

  adaptive_rate_statistics statistics() const { return state_->statistics(now()); }
  // What was learnt of the server.
  learnt_limit learnt() const { return statistics().learnt; }

  // Its part in a pipeline, which refers to it.
  detail::adaptive_rate_stage<Clock> stage() & { return detail::adaptive_rate_stage<Clock>(state_); }

 private:
  static core::instant now() { return core::instant_of(Clock::now()); }
  static awaitable<permit> acquire_from(std::shared_ptr<detail::adaptive_rate_state> state, core::instant deadline) {
    if (const auto call = state->try_enter(now())) co_return permit(state, *call);
    auto waiting = detail::adaptive_rate_state::wait_for_turn(state, deadline);
    const auto call = co_await std::move(waiting);
    co_return permit(state, call);
  }

  std::shared_ptr<detail::adaptive_rate_state> state_;
};

using adaptive_rate = basic_adaptive_rate<std::chrono::steady_clock>;

namespace detail {

template <class Clock>
class adaptive_rate_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit adaptive_rate_stage(std::shared_ptr<adaptive_rate_state>& state) : state_(&state) {}
  stage_facts facts() const { return (*state_)->facts(); }

  class session : public adaptive_rate_session {
   public:
    explicit session(const adaptive_rate_stage& s) : adaptive_rate_session(s.state_) {}
  };

 private:
  std::shared_ptr<adaptive_rate_state>* state_;
};

}  // namespace detail

}  // namespace dspu::aio
