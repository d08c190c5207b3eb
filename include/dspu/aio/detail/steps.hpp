// A call between the things that it awaits: which stage is asked, and what comes of it. No coroutine: the driver
// (detail/drive.hpp) asks what to do next, and does it.
#pragma once

#include "dspu/aio/detail/session_stack.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"

#include <boost/asio/cancellation_state.hpp>

#include <chrono>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

inline bool is_cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

void tell_of_attempt(const run& r, ending e, core::instant began);
// Requires: r.context.record.
void tell_of_call(const run& r, ending e, core::instant began);

// The clock of the first stage that has one.
template <class Stage, class... Rest>
auto first_clock() {
  if constexpr (!std::is_void_v<typename Stage::clock_type>) {
    return std::type_identity<typename Stage::clock_type>{};
  } else if constexpr (sizeof...(Rest) > 0) {
    return first_clock<Rest...>();
  } else {
    return std::type_identity<std::chrono::steady_clock>{};
  }
}

template <class Stages>
inline constexpr auto clock_of = clock_reading<std::chrono::steady_clock>;
template <class First, class... Rest>
inline constexpr auto clock_of<std::tuple<First, Rest...>> =
    clock_reading<typename decltype(first_clock<stage_type<First>, stage_type<Rest>...>())::type>;

// What a call does next.
enum class action {
  pause,   // await what a stage wants
  run,     // the operation
  go_up,   // ask the stages what they make of the result
  finish,  // give the result
};

// A call between the things that it awaits: which stage is asked, and what comes of it.
template <class T, class Stages>
class steps {
 public:
  steps(const Stages& stages, call_context& context, result_slot<T>& result)
      : r(context), stack(stages), result_(result) {}

  // Goes down until a stage wants something, or all are entered.
  action go_down() {
    wanted_ = next::up;
    try {
      switch (stack.descend(r)) {
        case entry::go:
          return action::run;
        case entry::wait:
          return action::pause;
        case entry::answer:
          stack.answer(r, ending(result_));
          return action::go_up;
        case entry::refuse:
          break;
      }
    } catch (...) {
      return threw();
    }
    return failed(std::exchange(r.refusal, nullptr));
  }

  // Asks the stages, innermost first, until one wants something or all are left.
  action go_up(const asio::cancellation_state& callers) {
    r.cancelled = is_cancelled(callers);
    try {
      wanted_ = stack.ascend(r, ending(result_));
      return wanted_ == next::up ? action::finish : action::pause;
    } catch (...) {  // a user's classifier
      return threw();
    }
  }

  // What the stage wants that it has stopped at.
  awaitable<void> pause() {
    r.forget_reading();
    return wanted_ == next::up ? stack.wait(r) : stack.attend(r, ending(result_));
  }
  // Whether a cancelled caller ends that. What is wanted on the way up is done all the same, unless it looks for itself.
  bool caller_ends_pause() const { return wanted_ == next::up; }
  // It is done.
  action paused(const asio::cancellation_state& callers) {
    switch (wanted_) {
      case next::up:  // it goes down
        stack.waited();
        return is_cut(callers) ? failed(aborted_error()) : go_down();
      case next::attend:
        return action::go_up;
      case next::again:
        break;
    }
    if (is_cut(callers)) {
      stack.abandon(r);
      return failed(std::make_exception_ptr(cancelled_error(r.last_error_or(outcome_of(result_)))));
    }
    stack.begin_again(r);
    result_ = {};
    return go_down();
  }

  // A stage has thrown, while it was asked or paused: that is the result for those further out.
  action threw() {
    stack.abandon(r);
    return failed(std::current_exception());
  }

  // A shortcut has entered the only stage, and run the operation, if that has `begun`.
  template <class Shortcut>
  void take_over(Shortcut& s, bool begun) {
    stack.take_over(r, s);
    if (begun && !was_refused()) r.counter.begun();
  }

  // A policy has kept the call from the operation, in the row or in the operation itself.
  bool was_refused() { return !is_plain_value(result_) && outcome_of(result_).refused(); }
  // Whether the operation's result is all that it takes.
  bool is_over() {
    if (!is_plain_value(result_) || r.interrupted != run::nobody || !stack.plain()) return false;
    stack.succeed(r);
    return true;
  }
  // The result is what comes out of the call.
  void finish() {
    if (!result_.has_value()) result_.fail(completed(result_.error(), r.starts() > 0, r.context.last_error));
  }

  run r;
  session_stack<Stages> stack;

 private:
  action failed(std::exception_ptr error) {
    r.answers = false;
    result_.fail(std::move(error));
    return action::go_up;
  }
  // Whether the caller has cancelled the call, or a stage what it awaits.
  bool is_cut(const asio::cancellation_state& callers) const {
    return is_cancelled(callers) || r.interrupted != run::nobody;
  }

  result_slot<T>& result_;
  next wanted_ = next::up;  // on the way up: what of
};

}  // namespace dspu::aio::detail
