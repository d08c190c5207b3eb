// Runs an operation through a row of stages: in one coroutine between any two that surround (hedges), which have their own.
#pragma once

#include "dspu/aio/detail/drive.hpp"

#include <concepts>
#include <cstddef>
#include <tuple>
#include <utility>

namespace dspu::aio::detail {

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

template <class T, given_context Given, class... Held, class F, class... Args>
awaitable<T> run_stages(std::tuple<Held...> stages, Given&& given, F fn, Args... args);

// The operation that the stages outside of a surrounding one see: that one, with all that is inside of it.
template <class T, class Around, class Inner, class F, class... Args>
struct surrounded {
  static_assert(std::copy_constructible<F> && (std::copy_constructible<Args> && ...),
                "each attempt gets a copy of the operation and of its arguments");

  Around around;
  Inner inner;
  F fn;
  std::tuple<Args...> args;
  start_counter* counter = nullptr;

  void counts_in(start_counter& c) { counter = &c; }

  awaitable<T> operator()(const call_context& context) {
    call_context attempts = context;
    attempts.whole = counter;
    return stage_in(around).template surround<T>(attempts, [this](call_context c) {
      return std::apply([&](const Args&... a) { return run_stages<T>(inner, std::move(c), F(fn), Args(a)...); }, args);
    });
  }
};

template <class T, class Around, class Inner, class F, class... Args>
inline constexpr bool is_attempt<surrounded<T, Around, Inner, F, Args...>> = false;

template <class T, given_context Given, class... Held, class F, class... Args>
awaitable<T> run_stages(std::tuple<Held...> stages, Given&& given, F fn, Args... args) {
  if constexpr (any_surrounds<std::tuple<Held...>>) {
    constexpr std::size_t at = first_that_surrounds<Held...>();
    auto outer = slice<0>(stages, std::make_index_sequence<at>{});
    auto inner = slice<at + 1>(stages, std::make_index_sequence<sizeof...(Held) - at - 1>{});
    using around = std::tuple_element_t<at, std::tuple<Held...>>;
    surrounded<T, around, decltype(inner), F, Args...> op{std::get<at>(stages), inner, std::move(fn),
                                                          std::tuple<Args...>(std::move(args)...)};
    return run_stages<T>(outer, std::move(given), std::move(op));
  } else if constexpr (sizeof...(Held) == 0) {
    return run_alone<T>(std::move(given), std::move(fn), std::move(args)...);
  } else if constexpr (has_shortcut<Given, std::tuple<Held...>, F, Args...>) {
    return call_by_shortcut<T>(std::move(stages), std::move(fn), std::move(args)...);
  } else {
    return drive<T>(std::move(stages), from_the_start{}, std::move(given), std::move(fn), std::move(args)...);
  }
}

template <class... Held, class F, class... Args>
auto result_through(const std::tuple<Held...>&, F&, Args&...) {
  if constexpr (any_reruns<std::tuple<Held...>>) {
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

// The same for whatever the operation gives. The context has the clock of the whole row.
template <given_context Given, class... Held, class F, class... Args>
auto run_through(std::tuple<Held...> stages, Given&& given, F fn, Args... args) {
  using T = typename decltype(result_through(stages, fn, args...))::type;
  static_assert((stage_type<Held>::template accepts<T> && ...), "a policy in the row is for another type of result");
  if constexpr (any_surrounds<std::tuple<Held...>> && std::same_as<Given, no_context>) {
    return run_through(std::move(stages), call_context{}, std::move(fn), std::move(args)...);
  } else {
    if constexpr (std::same_as<Given, call_context>) given.clock = clock_of<std::tuple<Held...>>;
    if constexpr ((stage_type<Held>::looks_at_arguments || ...)) {
      auto for_call = std::apply([&](const Held&... s) { return std::tuple(stage_for_call(s, args...)...); }, stages);
      return run_stages<T>(std::move(for_call), std::move(given), std::move(fn), std::move(args)...);
    } else {
      return run_stages<T>(std::move(stages), std::move(given), std::move(fn), std::move(args)...);
    }
  }
}

}  // namespace dspu::aio::detail
