// A hedged call: its attempts are children of one coroutine, and each that ends, or an alarm, asks what is
// next.
//
// All of a call is on one serial executor, so nothing here is locked but what calls share.
#pragma once

#include "dspu/aio/detail/after.hpp"
#include "dspu/aio/detail/alarm.hpp"
#include "dspu/aio/detail/apart.hpp"
#include "dspu/aio/detail/budget_charge.hpp"
#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/hedge_options.hpp"
#include "dspu/aio/stage_facts.hpp"
#include "dspu/core/hedge_machine.hpp"
#include "dspu/core/latency_quantile.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>
#include <cstdlib>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace dspu::aio::detail {

// The options, checked.
struct hedge_rules {
  explicit hedge_rules(hedge_options o);

  core::hedge_plan plan;
  hedge_options options;
};

// All of a hedge but its clock. Thread-safe.
class hedge_state {
 public:
  explicit hedge_state(hedge_options options);

  // What a call that begins now goes by.
  struct terms {
    std::shared_ptr<const hedge_rules> rules;
    duration delay;
    duration fastest;  // of what was seen; 0 if nothing is known
  };
  terms terms_at(core::instant now);
  void reconfigure(hedge_options options, core::instant now);
  void record(duration latency, core::instant now);
  stage_facts facts() const;

  std::int64_t hedges() const { return hedges_.load(std::memory_order_relaxed); }
  std::int64_t wins() const { return wins_.load(std::memory_order_relaxed); }
  void count_hedge() { hedges_.fetch_add(1, std::memory_order_relaxed); }
  void count_win() { wins_.fetch_add(1, std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const hedge_rules> rules_;
  core::latency_quantile seen_;
  std::atomic<std::int64_t> hedges_{0};
  std::atomic<std::int64_t> wins_{0};
};

// One call. Lives in its coroutine's frame.
class hedging {
 public:
  hedging(hedge_state& state, const call_context& context, family& f);
  hedging(const hedging&) = delete;
  hedging& operator=(const hedging&) = delete;

  // Begins what is to be begun now, sees to it that the rest is done in time, and ends what has lost.
  void proceed();

 protected:
  struct attempt {
    attempt(family& f, start_counter& whole, std::int64_t n) : starts{0, &whole}, thread(f), number(n) {}
    start_counter starts;
    budget_charge charge;
    child thread;
    result_slot<void> end;
    std::int64_t number;
    core::instant began{};
    bool over = false;
    attempt* older = nullptr;
  };

  ~hedging() = default;

  // Makes another attempt.
  virtual attempt& another(std::int64_t number) = 0;
  virtual void start(attempt& a, call_context context) = 0;
  virtual void wake_after(duration d) = 0;
  virtual void let_sleep() = 0;

  family& home() const { return family_; }
  start_counter& starts() { return run_.counter; }
  // Its result is there; it does nothing any more.
  void ended(attempt& a, ending e);
  // The alarm has rung.
  void wake();
  // After all have ended: whose result is the call's; nobody's if it was cancelled after a failure, `first`
  // then.
  std::optional<std::int64_t> chosen() const;

 private:
  core::instant now() const { return context_.clock(); }
  void begin(std::int64_t number);
  bool may_hedge(std::int64_t number, budget_charge& charge);
  void add(attempt& a);
  static void give_up(attempt& a);
  bool fits(core::instant start) const;
  verdict judge(ending e) const;
  void settle(std::int64_t winner);

  hedge_state& state_;
  const hedge_state::terms terms_;
  family& family_;
  call_context context_;  // what attempts get
  run run_;               // tells the observer
  core::hedge_machine machine_;
  const core::instant began_;
  attempt* newest_ = nullptr;
  attempt* first_ = nullptr;
  std::optional<std::int64_t> winner_;
  std::optional<core::instant> wakes_at_;
  bool own_budget_ = false;
  bool first_failed_ = false;  // by itself, not for being cancelled
  bool busy_ = false;
};

template <class T, class Clock, class Start>
class hedging_of final : public hedging {
 public:
  hedging_of(hedge_state& state, const call_context& context, family& f, Start start)
      : hedging(state, context, f), start_(std::move(start)), first_(f, starts(), 0) {}

  T take() {
    const auto n = chosen();
    if (!n) throw cancelled_error(outcome_of(first_.result).error());
    if (*n == 0 && first_.result.empty()) throw boost::system::system_error(asio::error::operation_aborted);
    if (*n == 0) return first_.result.take();
    for (auto& a : others_) {
      if (a.number == *n) return a.result.take();
    }
    std::abort();  // the machine chooses among those that were begun
  }

 private:
  struct attempt_of : attempt {
    using attempt::attempt;
    result_slot<T> result;
  };

  attempt& another(std::int64_t number) override {
    return number == 0 ? first_ : others_.emplace_back(home(), starts(), number);
  }
  void start(attempt& begun, call_context context) override {
    auto& a = static_cast<attempt_of&>(begun);
    auto body = run_attempt(a, std::move(context));
    a.thread.start(std::move(body), a.end);
  }

  awaitable<void> run_attempt(attempt_of& a, call_context context) {
    try {
      auto op = start_(std::move(context));
      if constexpr (std::is_void_v<T>) {
        co_await std::move(op);
        a.result.emplace();
      } else {
        a.result.emplace(co_await std::move(op));
      }
    } catch (...) {
      a.result.fail(std::current_exception());
    }
    ended(a, ending(a.result));
  }

  void wake_after(duration d) override {
    alarm_.arm(first_.thread.executor(), after<Clock>(d), [this] { wake(); });
  }
  void let_sleep() override { alarm_.disarm(); }

  Start start_;
  attempt_of first_;
  std::list<attempt_of> others_;
  alarm<Clock> alarm_;
};

template <class T, class Clock, class Start>
awaitable<T> hedged(hedge_state* state, call_context context, Start start) {
  const auto executor = co_await asio::this_coro::executor;
  if (!is_serial(executor)) {
    auto in_a_lane = apart(hedged<T, Clock>(state, std::move(context), std::move(start)));
    co_return co_await std::move(in_a_lane);
  }
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  family f(executor);
  hedging_of<T, Clock, Start> call(*state, context, f, std::move(start));
  std::exception_ptr failure;
  try {
    if (cancellation.cancelled() != asio::cancellation_type::none) f.cancel_all(cancellation.cancelled());
    call.proceed();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!f.all_ended()) {
    auto joined = f.join();
    co_await joined;
  }
  if (failure) std::rethrow_exception(failure);
  f.rethrow_failure();
  co_return call.take();
}

template <class Clock>
class hedge_stage : public stage_defaults {
 public:
  using clock_type = Clock;
  static constexpr bool surrounds = true;

  explicit hedge_stage(hedge_state& state) : state_(&state) {}
  stage_facts facts() const { return state_->facts(); }

  template <class T, class Start>
  awaitable<T> surround(const call_context& context, Start start) const {
    return hedged<T, Clock>(state_, context, std::move(start));
  }

 private:
  hedge_state* state_;
};

}  // namespace dspu::aio::detail
