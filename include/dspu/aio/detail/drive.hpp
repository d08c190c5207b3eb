// One coroutine that takes a call through any number of policies: down through their stages, the operation, and up.
#pragma once

#include "dspu/aio/detail/cancel_scope.hpp"
#include "dspu/aio/detail/stage.hpp"
#include "dspu/aio/error.hpp"
#include "dspu/aio/policy.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <concepts>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace dspu::aio::detail {

// An operation may take the context first.
template <class F, class... Args>
concept takes_context = async_callable<F, const call_context&, Args...>;

template <class F, class... Args>
concept operation = takes_context<F, Args...> || async_callable<F, Args...>;

// Its arguments are moved to it, or, if it may be run again, referred to.
template <class F, class... Args>
concept operation_for = operation<F, Args...> || operation<F, Args&...>;

template <class F, class... Args>
auto invoke_operation(const call_context& context, F& fn, Args&&... args) {
  if constexpr (takes_context<F, Args...>) {
    return std::invoke(fn, context, std::forward<Args>(args)...);
  } else {
    return std::invoke(fn, std::forward<Args>(args)...);
  }
}

template <class F, class... Args>
using operation_result_t =
    typename awaited<decltype(invoke_operation(std::declval<const call_context&>(), std::declval<F&>(),
                                               std::declval<Args>()...))>::type;

// A call has a tuple of stages: its own, or pointers to those of a pipeline that outlives it.
template <class Stage>
const Stage& stage_in(const Stage& s) {
  return s;
}
template <class Stage>
const Stage& stage_in(const Stage* s) {
  return *s;
}
template <class Held>
using stage_type = std::remove_cvref_t<decltype(stage_in(std::declval<const Held&>()))>;

// The sessions of one call, outermost first, and how deep it is in them.
template <class... Held>
class session_stack {
 public:
  explicit session_stack(const std::tuple<Held...>& stages)
      : sessions_(std::apply([](const auto&... s) { return sessions(stage_in(s)...); }, stages)) {}

  // Goes down until all are entered (`go`), or one has to wait or refuses.
  entry descend(run& r) { return r.to_be_answered(depth_) ? entry::answer : descend(r, indices{}); }
  // The one that had to wait is entered now.
  void waited() { ++depth_; }

  bool plain() const {
    return std::apply([](const auto&... s) { return (s.plain() && ...); }, sessions_);
  }
  void succeed(run& r) { succeed(r, indices{}); }

  // Leaves one after another, until one wants to be attended or goes down again; `up`: all are left.
  next ascend(run& r, ending e) { return ascend(r, e, indices{}); }
  // The one that ascend() or descend() stopped at.
  awaitable<void> wait(run& r) {
    return at([&](auto& s) { return s.wait(r); }, indices{});
  }
  awaitable<void> attend(run& r, ending e) {
    return at([&](auto& s) { return s.attend(r, e); }, indices{});
  }
  // The one that descend() stopped at answers in the operation's place.
  void answer(run& r, ending e) { answer(r, e, indices{}); }
  // It goes down again: it stays entered.
  void stay() { ++depth_; }

 private:
  using sessions = std::tuple<typename stage_type<Held>::session...>;
  using indices = std::index_sequence_for<Held...>;
  static constexpr std::size_t size = sizeof...(Held);

  template <std::size_t... I>
  entry descend(run& r, std::index_sequence<I...>) {
    entry e = entry::go;
    static_cast<void>(((I < depth_ || enter<I>(r, e)) && ...));
    return e;
  }
  template <std::size_t I>
  bool enter(run& r, entry& e) {
    e = std::get<I>(sessions_).enter(r, I);
    if (e != entry::go) return false;
    depth_ = I + 1;
    return true;
  }

  template <std::size_t... I>
  void succeed(run& r, std::index_sequence<I...>) {
    (std::get<size - 1 - I>(sessions_).succeed(r), ...);
    depth_ = 0;
  }

  template <std::size_t... I>
  next ascend(run& r, ending e, std::index_sequence<I...>) {
    next n = next::up;
    static_cast<void>(((size - 1 - I >= depth_ || leave<size - 1 - I>(r, e, n)) && ...));
    return n;
  }
  template <std::size_t I>
  bool leave(run& r, ending e, next& n) {
    depth_ = I;  // whatever it throws, it is left
    n = std::get<I>(sessions_).leave(r, I, e);
    return n == next::up;
  }

  template <std::size_t... I>
  void answer(run& r, ending e, std::index_sequence<I...>) {
    static_cast<void>(((I == depth_ && (std::get<I>(sessions_).answer(r, e), true)) || ...));
  }

  template <class Do, std::size_t... I>
  awaitable<void> at(Do what, std::index_sequence<I...>) {
    awaitable<void> a;
    static_cast<void>(((I == depth_ && (a = what(std::get<I>(sessions_)), true)) || ...));
    return a;
  }

  sessions sessions_;
  std::size_t depth_ = 0;  // how many are entered
};

template <class... Held>
inline constexpr bool any_interrupts = (stage_type<Held>::interrupts || ...);
template <class... Held>
inline constexpr bool any_reruns = (stage_type<Held>::reruns || ...);
template <class... Held>
inline constexpr bool any_surrounds = (stage_type<Held>::surrounds || ...);

inline bool is_cancelled(const asio::cancellation_state& state) {
  return state.cancelled() != asio::cancellation_type::none;
}

void tell_of_attempt(const run& r, ending e, core::instant began);
// Requires: r.context.record.
void tell_of_call(const run& r, ending e, core::instant began);

// Whether it is the operation itself, not what is inside of a stage that surrounds.
template <class F>
inline constexpr bool is_attempt = true;

template <bool Again, class F, class... Args>
auto start_operation(const call_context& context, F& fn, Args&... args) {
  if constexpr (Again) {
    return invoke_operation(context, fn, args...);
  } else {
    return invoke_operation(context, fn, std::move(args)...);
  }
}

// Asio's assignment would leak a coroutine that was never begun.
inline void replace(awaitable<void>& a, awaitable<void> by) {
  const awaitable<void> old(std::move(a));
  a = std::move(by);
}

// Whether the caller has cancelled the call, or a stage what it awaits.
inline bool is_cut(const run& r, const asio::cancellation_state& callers) {
  return is_cancelled(callers) || r.interrupted != run::nobody;
}

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

template <class... Held>
inline constexpr auto clock_of = clock_reading<typename decltype(first_clock<stage_type<Held>...>())::type>;

// What a call is given by the one that it is in, if it is in one. A context made anew is made where it stays: copied on
// its way into the coroutine's frame, the copy would wait for the stores that made it.
using given_context = std::optional<call_context>;

template <class... Held>
call_context& given_or_new(given_context& given) {
  if (!given) given.emplace();
  given->clock = clock_of<Held...>;
  return *given;
}

template <class T, class... Held, class F, class... Args>
awaitable<T> drive(std::tuple<Held...> stages, given_context given, F fn, Args... args) {
  if (!given) given_or_new<Held...>(given);
  run r(*given);
  // What can be interrupted is awaited in the scope. Nothing else here suspends.
  constexpr bool interrupts = any_interrupts<Held...>;
  [[maybe_unused]] std::conditional_t<interrupts, cancel_scope, std::monostate> scope;
  if constexpr (interrupts) r.scope = &scope;
  if constexpr (!is_attempt<F>) fn.counts_in(r);
  session_stack<Held...> stack(stages);
  result_slot<T> result;
  awaitable<void> aside;  // what a stage awaits
  for (;;) {
    entry e = r.refusal ? entry::refuse : stack.descend(r);
    while (e == entry::wait) {
      try {
        replace(aside, stack.wait(r));
        r.forget_reading();
        if constexpr (interrupts) {
          auto step = scope.template run<T>(aside);
          co_await step;
          scope.close();
          aside.await_resume();
        } else {
          co_await std::move(aside);
        }
        stack.waited();
        const auto state = co_await asio::this_coro::cancellation_state;
        e = is_cut(r, state) ? r.refuse(aborted_error()) : stack.descend(r);
      } catch (...) {
        e = r.refuse(std::current_exception());
      }
    }
    if (e == entry::go) {
      if constexpr (is_attempt<F>) ++r.starts;
      r.forget_reading();
      const auto began = is_attempt<F> && r.observed() ? r.context.clock() : core::instant{};
      try {
        auto op = start_operation<any_reruns<Held...>>(r.context, fn, args...);
        if constexpr (interrupts) {
          auto step = scope.template run<T>(op);
          co_await step;
          scope.close();
          if constexpr (std::is_void_v<T>) {
            op.await_resume();
            result.emplace();
          } else {
            result.emplace(op.await_resume());
          }
        } else if constexpr (std::is_void_v<T>) {
          co_await std::move(op);
          result.emplace();
        } else {
          result.emplace(co_await std::move(op));
        }
      } catch (...) {
        result.fail(std::current_exception());
      }
      if (is_attempt<F> && r.observed()) tell_of_attempt(r, ending(result), began);
      if (!may_hold_failure<T> && result.has_value() && r.interrupted == run::nobody && stack.plain()) {
        stack.succeed(r);
        co_return result.take();
      }
    } else if (e == entry::answer) {
      stack.answer(r, ending(result));
    } else {
      result.fail(std::exchange(r.refusal, nullptr));
    }

    // What the stages await on the way up does not throw past them.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    next n = next::up;
    do {
      auto state = co_await asio::this_coro::cancellation_state;
      r.cancelled = is_cancelled(state);
      bool threw = false;
      try {
        n = stack.ascend(r, ending(result));
      } catch (...) {  // a classifier of the user's; the stages further out see that
        result.fail(std::current_exception());
        threw = true;
        n = next::attend;
      }
      if (std::exchange(r.revive, false)) {
        if constexpr (interrupts) scope.revive();
      }
      if (n == next::up) break;
      if (threw) continue;
      try {
        replace(aside, stack.attend(r, ending(result)));
        r.forget_reading();
        if constexpr (interrupts) {
          auto step = scope.template run<T>(aside, false);
          co_await step;
          scope.close();
          aside.await_resume();
        } else {
          co_await std::move(aside);
        }
      } catch (...) {
        result.fail(std::current_exception());
        n = next::attend;
      }
      state = co_await asio::this_coro::cancellation_state;
      if (n == next::again && is_cut(r, state)) {  // down, and up again at once
        r.refusal = std::make_exception_ptr(cancelled_error(r.context.last_error));
      }
    } while (n != next::again);
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (n == next::up) co_return result.take();
    stack.stay();
    result = {};
  }
}

// The operation with no stages around it.
template <class T, class F, class... Args>
awaitable<T> run_alone(given_context given, F fn, Args... args) {
  if (!given) given.emplace();
  run r(*given);
  if constexpr (!is_attempt<F>) fn.counts_in(r);
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
  co_return result.take();
}

// Where the first stage is that surrounds.
template <class... Held>
constexpr std::size_t first_that_surrounds() {
  std::size_t i = 0;
  static_cast<void>(((stage_type<Held>::surrounds || (++i, false)) || ...));
  return i;
}

template <std::size_t From, class Tuple, std::size_t... I>
auto slice(const Tuple& t, std::index_sequence<I...>) {
  return std::tuple<std::tuple_element_t<From + I, Tuple>...>(std::get<From + I>(t)...);
}

template <class T, class... Held, class F, class... Args>
awaitable<T> run_stages(std::tuple<Held...> stages, given_context&& given, F fn, Args... args);

// The operation inside of a stage that surrounds. Those outside are to know whether it was ever begun.
template <class F>
struct counted_operation {
  F fn;
  std::uint64_t* starts;

  template <class... Args>
    requires operation<F, Args...>
  auto operator()(const call_context& context, Args&&... args) {
    ++*starts;
    return invoke_operation(context, fn, std::forward<Args>(args)...);
  }
};

// The operation that the stages outside of a surrounding one see: that one, with all that is inside of it.
template <class T, class Around, class Inner, class F, class... Args>
struct surrounded {
  static_assert(std::copy_constructible<F> && (std::copy_constructible<Args> && ...),
                "each attempt gets a copy of the operation and of its arguments");

  Around around;
  Inner inner;
  F fn;
  std::tuple<Args...> args;
  std::uint64_t* starts = nullptr;

  void counts_in(run& r) { starts = &r.starts; }

  awaitable<T> operator()(const call_context& context) {
    return stage_in(around).template surround<T>(context, [this](call_context c) {
      counted_operation<F> op{fn, starts};
      return std::apply([&](const Args&... a) { return run_stages<T>(inner, std::move(c), std::move(op), Args(a)...); },
                        args);
    });
  }
};

template <class T, class Around, class Inner, class F, class... Args>
inline constexpr bool is_attempt<surrounded<T, Around, Inner, F, Args...>> = false;

// Runs an operation through all stages: in one coroutine between any two that surround.
template <class T, class... Held, class F, class... Args>
awaitable<T> run_stages(std::tuple<Held...> stages, given_context&& given, F fn, Args... args) {
  if constexpr (any_surrounds<Held...>) {
    constexpr std::size_t at = first_that_surrounds<Held...>();
    auto outer = slice<0>(stages, std::make_index_sequence<at>{});
    auto inner = slice<at + 1>(stages, std::make_index_sequence<sizeof...(Held) - at - 1>{});
    using around = std::tuple_element_t<at, std::tuple<Held...>>;
    surrounded<T, around, decltype(inner), F, Args...> op{std::get<at>(stages), inner, std::move(fn),
                                                          std::tuple<Args...>(std::move(args)...)};
    return run_stages<T>(outer, std::move(given), std::move(op));
  } else if constexpr (sizeof...(Held) == 0) {
    return run_alone<T>(std::move(given), std::move(fn), std::move(args)...);
  } else {
    return drive<T>(std::move(stages), std::move(given), std::move(fn), std::move(args)...);
  }
}

template <class... Held, class F, class... Args>
auto result_through(const std::tuple<Held...>&, F&, Args&...) {
  if constexpr (any_reruns<Held...>) {
    return std::type_identity<operation_result_t<F, Args&...>>{};
  } else {
    return std::type_identity<operation_result_t<F, Args...>>{};
  }
}

template <class Held, class... Args>
auto stage_for_call(const Held& held, const Args&... args) {
  if constexpr (stage_type<Held>::looks_at_arguments) {
    return stage_in(held).for_call(args...);
  } else {
    return held;
  }
}

// The same, for whatever the operation gives.
template <class... Held, class F, class... Args>
auto run_through(std::tuple<Held...> stages, given_context&& given, F fn, Args... args) {
  using T = typename decltype(result_through(stages, fn, args...))::type;
  static_assert((stage_type<Held>::template accepts<T> && ...), "a policy in the row is for another type of result");
  if (given || any_surrounds<Held...>) given_or_new<Held...>(given);  // the clock is that of the whole row
  if constexpr ((stage_type<Held>::looks_at_arguments || ...)) {
    auto for_call = std::apply([&](const Held&... s) { return std::tuple(stage_for_call(s, args...)...); }, stages);
    return run_stages<T>(std::move(for_call), std::move(given), std::move(fn), std::move(args)...);
  } else {
    return run_stages<T>(std::move(stages), std::move(given), std::move(fn), std::move(args)...);
  }
}

}  // namespace dspu::aio::detail
