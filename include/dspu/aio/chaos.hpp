// chaos: injects delays, faults and made-up results, to see how a client bears them.
//
//   chaos storm{{.fault_rate = 0.02, .latency_rate = 0.1, .latency_max = 500ms, .seed = 42}};
//   auto tested = timeout(10s) | retry{} | breaker | storm;          // innermost: it stands for the server
//   chaos odd{{.result_rate = 0.01, .result = [] { return response{.status = 503}; }}};
//   storm.enable(false);                                             // calls pass, and cost a look at a flag
//
// First a delay, perhaps; then a fault in the place of the call, or else a made-up result, or else the call itself
// (core/chaos_machine.hpp). To the policies around, what was injected is the operation's own outcome: breakers count it,
// retries retry it. A seed says what happens to the first call, the second, and so on in the order in which they come:
// the same calls go the same way again.
//
// Thread-safety: everything may be called from any thread; the lock is held for one draw. Which call is the nth is then for
// the threads to settle. It must outlive the calls made through it.
#pragma once

#include "dspu/aio/detail/sleep.hpp"
#include "dspu/aio/detail/verbs.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/stage_facts.hpp"
#include "dspu/core/chaos_machine.hpp"

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace dspu::aio {

// Where faults come from: a function that gives an error, or an exception_ptr. What it throws is a fault just as well.
class fault_source {
 public:
  fault_source(std::nullptr_t = nullptr) {}
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, fault_source> && std::invocable<F&>)
  fault_source(F make)
      : make_([make = std::move(make)]() mutable -> std::exception_ptr {
          if constexpr (std::convertible_to<std::invoke_result_t<F&>, std::exception_ptr>) {
            return make();
          } else {
            return std::make_exception_ptr(make());
          }
        }) {}

  std::exception_ptr operator()() const;

 private:
  std::function<std::exception_ptr()> make_;  // null: injected_fault
};

// Where made-up results come from: a function that gives a T, for operations that give exactly a T. A call of
// another type of operation ends with std::invalid_argument: when a result is drawn, or, in an any_policy,
// before it begins.
class result_source {
 public:
  result_source(std::nullptr_t = nullptr) {}
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, result_source> && std::invocable<F&>)
  result_source(F make)
      : type_(&typeid(std::invoke_result_t<F&>)),
        make_([make = std::move(make)](detail::ending e) mutable {
          using T = std::invoke_result_t<F&>;
          auto* const slot = e.slot_of<T>();
          if (slot == nullptr)
            throw std::invalid_argument("chaos: the made-up result is not of the operation's type");
          if constexpr (std::is_void_v<T>) {
            make();
            slot->emplace();
          } else {
            slot->emplace(make());
          }
        }) {}

  explicit operator bool() const { return make_ != nullptr; }
  // Of the results; null if there are none.
  const std::type_info* type() const { return type_; }
  void operator()(detail::ending e) const { make_(e); }

 private:
  const std::type_info* type_ = nullptr;
  std::function<void(detail::ending)> make_;
};

struct chaos_options {
  // Calls that fail without being made. 0 to 1.
  double fault_rate = 0;
  // Of the others, those that return a made-up result. 0 to 1; above 0 it needs `result`.
  double result_rate = 0;
  // Calls that are delayed, whatever follows. 0 to 1.
  double latency_rate = 0;
  // Delays are uniform between these, both included. At least 0; at least latency_min.
  duration latency_min{0};
  duration latency_max = std::chrono::seconds{1};
  // Called for each fault, from whatever thread the call is on. Without it: injected_fault.
  fault_source fault = nullptr;
  // Called for each made-up result, from whatever thread the call is on.
  result_source result = nullptr;
  // What the draws begin with. Without it: from the OS, and seed() says what it was.
  std::optional<std::uint64_t> seed{};
  // Shadow mode: draws and tells the observer, and injects nothing.
  bool shadow = false;
};

namespace detail {

template <class Clock>
class chaos_stage;

// All of chaos but its clock.
class chaos_state {
 public:
  explicit chaos_state(chaos_options options);

  void reconfigure(chaos_options options);
  chaos_options options() const;
  stage_facts facts() const;
  std::uint64_t seed() const { return seed_; }
  void enable(bool on) { enabled_.store(on, std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  std::int64_t injected() const { return injected_.load(std::memory_order_relaxed); }
  // The type of the results that may be made up now; null if none may.
  const std::type_info* gives() const;

  struct draw {
    core::chaos_injection injection;
    std::shared_ptr<const chaos_options> options;  // null if there is nothing to inject
  };
  draw next();
  void count() { injected_.fetch_add(1, std::memory_order_relaxed); }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const chaos_options> options_;
  core::chaos_machine machine_;
  const std::uint64_t seed_;
  core::random_source random_;
  std::atomic<bool> enabled_{true};
  std::atomic<std::int64_t> injected_{0};
};

class chaos_session : public session_defaults {
 public:
  explicit chaos_session(chaos_state& state) : state_(&state) {}

  entry enter(run& r, std::size_t level);
  void answer(run&, ending e);
  next leave(run&, std::size_t, ending) { return next::up; }

 protected:
  duration latency() const { return drawn_.injection.latency; }
  // After the delay, which was not cancelled. Throws: the fault, if there is one.
  void go_on(run& r);

 private:
  entry act(run& r);

  chaos_state* state_;
  chaos_state::draw drawn_;
};

}  // namespace detail

template <class Clock>
class basic_chaos : public detail::verbs<basic_chaos<Clock>> {
 public:
  using options_type = chaos_options;

  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit basic_chaos(chaos_options options = {}) : state_(std::move(options)) {}
  basic_chaos(const basic_chaos&) = delete;
  basic_chaos& operator=(const basic_chaos&) = delete;

  // Off: nothing is drawn and nothing injected.
  void enable(bool on) { state_.enable(on); }
  bool enabled() const { return state_.enabled(); }
  // New rates and sources while it is in use. The draws go on where they are; `seed` changes nothing any more.
  // Throws: std::invalid_argument; nothing has changed then.
  void reconfigure(chaos_options options) { state_.reconfigure(std::move(options)); }
  chaos_options options() const { return state_.options(); }

  std::uint64_t seed() const { return state_.seed(); }
  // How many delays, faults and results were injected.
  std::int64_t injected() const { return state_.injected(); }

  // Its part in a pipeline, which refers to it.
  detail::chaos_stage<Clock> stage() & { return detail::chaos_stage<Clock>(state_); }

 private:
  detail::chaos_state state_;
};

using chaos = basic_chaos<std::chrono::steady_clock>;

namespace detail {

template <class Clock>
class chaos_stage : public stage_defaults {
 public:
  using clock_type = Clock;

  explicit chaos_stage(chaos_state& state) : state_(&state) {}
  stage_facts facts() const { return state_->facts(); }
  const std::type_info* gives() const { return state_->gives(); }

  class session : public chaos_session {
   public:
    explicit session(const chaos_stage& s) : chaos_session(*s.state_) {}

    awaitable<void> wait(run& r) { return delay(r); }

   private:
    awaitable<void> delay(run& r) {
      auto sleeping = sleep_for<Clock>(latency());
      co_await std::move(sleeping);
      go_on(r);
    }
  };

 private:
  chaos_state* state_;
};

}  // namespace detail

}  // namespace dspu::aio
