// One coroutine that takes a call through any number of policies: down through their stages, the operation, and up.
#pragma once

#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/cancellation_guard.hpp"
#include "dspu/aio/detail/operation.hpp"
#include "dspu/aio/detail/steps.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

// A call is given the context of the one that it is in, or this. A context made anew is made where it stays: copied on its
// way into the coroutine's frame, the copy would wait for the stores that made it.
struct no_context {};

template <class Given>
concept given_context = std::same_as<Given, no_context> || std::same_as<Given, call_context>;

// The context that a call goes by.
template <class Stages>
class own_context {
 public:
  explicit own_context(no_context) { context_.clock = clock_of<Stages>; }
  call_context& get() { return context_; }

 private:
  call_context context_;
};
class context_of_another {
 public:
  explicit context_of_another(call_context& given) : context_(given) {}
  call_context& get() { return context_; }

 private:
  call_context& context_;
};
template <class Given, class Stages>
using context_of_call =
    std::conditional_t<std::same_as<Given, no_context>, own_context<Stages>, context_of_another>;

// How a call begins: at the start, and then it gives its result;
struct from_the_start {
  template <class T>
  using gives = T;
};
// or where a shortcut is at its end, which has run the operation or has not. Then it gives a result_slot.
template <class T, class Shortcut>
struct from_a_shortcut {
  template <class>
  using gives = result_slot<T>;
  Shortcut& shortcut;
  result_slot<T>& result;  // empty: it has not
  bool begun;              // whether the operation has begun
  bool throws;             // this_coro::throw_if_cancelled, which is off until it begins
};

// What an operation that has ended gives. Requires: result.empty(). Throws: what it has thrown.
template <class T>
[[gnu::always_inline]] inline void take(awaitable<T>& op, result_slot<T>& result) {
  if constexpr (std::is_void_v<T>) {
    op.await_resume();
    result.fill();
  } else {
    result.fill(op.await_resume());
  }
}
template <class R, class T>
R finished(result_slot<T>& result) {
  if constexpr (std::same_as<R, result_slot<T>>) {
    return std::move(result);
  } else {
    return result.take();
  }
}

// F and Args are references where the operation belongs to somebody else.
template <class T, class From, class Given, class Stages, class F, class... Args>
awaitable<typename From::template gives<T>> drive(Stages stages, From from, Given given, F fn, Args... args) {
  using R = typename From::template gives<T>;
  constexpr bool interrupts = any_interrupts<Stages>;
  constexpr bool attempts = is_attempt<std::remove_reference_t<F>>;
  constexpr bool takes_over = !std::same_as<From, from_the_start>;

  // What can be interrupted is awaited in a scope; all else under a guard, so that an operation's own cancellation state
  // does not become the call's.
  std::conditional_t<interrupts, cancel_scope, cancellation_guard> scope;
  result_slot<T> result;
  context_of_call<Given, Stages> context(given);
  steps<T, Stages> call(stages, context.get(), result);
  run& r = call.r;
  if constexpr (interrupts) r.scope = &scope;
  if constexpr (!attempts) fn.counts_in(r.counter);

  action to_do = action::go_up;
  if constexpr (takes_over) {
    co_await asio::this_coro::throw_if_cancelled(from.throws);
    result = std::move(from.result);
  }
  if (result.empty()) {
    to_do = call.go_down();
  } else if constexpr (takes_over) {
    call.take_over(from.shortcut, from.begun);
  }
  for (;;) {
    switch (to_do) {
      case action::run: {
        r.forget_reading();
        if constexpr (attempts) r.counter.begun();
        const auto began = attempts && r.observed() ? r.context.clock() : core::instant{};
        try {
          auto op = start_operation<any_reruns<Stages>>(r.context, fn, args...);
          auto step = scope.template run<R>(op);
          co_await step;
          scope.close();
          take(op, result);
        } catch (...) {
          result.fail(std::current_exception());
          if (attempts && scope.refused()) r.counter.not_begun();
        }
        if (attempts && r.observed()) tell_of_attempt(r, ending(result), began);
        if (call.is_over()) co_return finished<R>(result);
        if (attempts && call.was_refused()) r.counter.not_begun();
        to_do = action::go_up;
        break;
      }

      case action::pause: {
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        const bool may_throw = throws && call.caller_ends_pause();
        co_await asio::this_coro::throw_if_cancelled(may_throw);
        try {
          auto aside = call.pause();
          auto step = scope.template run<R>(aside, may_throw);
          co_await step;
          scope.close();
          aside.await_resume();
          const auto state = co_await asio::this_coro::cancellation_state;
          to_do = call.paused(state);
        } catch (...) {
          to_do = call.threw();
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        break;
      }

      case action::go_up: {
        const auto state = co_await asio::this_coro::cancellation_state;
        to_do = call.go_up(state);
        if constexpr (interrupts) {
          if (std::exchange(r.revive, false)) scope.revive();
        }
        break;
      }

      case action::finish:
        call.finish();
        co_return finished<R>(result);
    }
  }
}

// The rest of a call whose shortcut did not do. Out of line, and of few parameters: those that it does for do not carry it.
template <class T, class From, class Stage, class F, class... Args>
[[gnu::noinline]] awaitable<result_slot<T>> drive_from(const From& from, const Stage& only, F& fn, Args&... args) {
  return drive<T, From, no_context, std::tuple<const Stage*>, F&, Args&...>(std::tuple(&only), from, no_context{}, fn,
                                                                          args...);
}

// A call through one stage. As long as the stage's shortcut will do, it has nothing in its frame but that.
template <class T, class Held, class F, class... Args>
awaitable<T> call_by_shortcut(std::tuple<Held> stages, F fn, Args... args) {
  using stage = stage_type<Held>;
  using shortcut = typename stage::shortcut;
  const stage& only = stage_in(std::get<0>(stages));
  shortcut way;
  result_slot<T> result;
  bool begun = true;
  if (way.enter(only)) {
    cancellation_guard guard;
    try {
      auto op = start_without_context<stage::reruns>(fn, args...);
      auto step = guard.template run<T>(op);
      co_await step;
      guard.close();
      take(op, result);
    } catch (...) {
      result.fail(std::current_exception());
      begun = !guard.refused();
    }
    if (is_plain_value(result) && way.succeed(only)) co_return result.take_value();
  } else if (std::exception_ptr refusal = way.refusal(only)) {
    std::rethrow_exception(std::move(refusal));
  }
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);  // it is to begin in any case
  const from_a_shortcut<T, shortcut> from{way, result, begun, throws};
  auto rest = drive_from<T>(from, only, fn, args...);
  result = co_await std::move(rest);
  co_return result.take();
}

// Whether a call may be made so.
template <class Given, class Stages, class F, class... Args>
inline constexpr bool has_shortcut = false;
template <class Held, class F, class... Args>
inline constexpr bool has_shortcut<no_context, std::tuple<Held>, F, Args...> =
    !std::same_as<typename stage_type<Held>::shortcut, no_shortcut> &&
    !(stage_type<Held>::reruns ? takes_context<F, Args&...> : takes_context<F, Args...>);

// The operation with no stages around it.
template <class T, class Given, class F, class... Args>
awaitable<T> run_alone(Given given, F fn, Args... args) {
  context_of_call<Given, std::tuple<>> context(given);
  run r(context.get());
  if constexpr (!is_attempt<F>) fn.counts_in(r.counter);
  if constexpr (is_attempt<F>) r.counter.begun();
  const bool tells = is_attempt<F> && r.observed();
  const auto began = tells ? r.context.clock() : core::instant{};
  result_slot<T> result;
  try {
    auto op = start_operation<false>(r.context, fn, args...);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(op);
      result.emplace();
    } else {
      result.emplace(co_await std::move(op));
    }
  } catch (...) {
    result.fail(std::current_exception());
  }
  if (tells) tell_of_attempt(r, ending(result), began);
  if (is_attempt<F> && !is_plain_value(result) && outcome_of(result).refused()) r.counter.not_begun();
  co_return result.take();
}

}  // namespace dspu::aio::detail
