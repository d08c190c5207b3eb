// gather_with_limit, map_with_limit: many operations, so many at a time, their results in input order.
//
//   auto [user, cart] = co_await gather_with_limit({.limit = 2}, load_user(id), load_cart(id));
//   std::vector<page> pages = co_await gather_with_limit(std::move(fetches), {.limit = 10});
//   std::vector<page> pages = co_await map_with_limit(urls, fetch, {.limit = 10});
//
// At the first error, first in time, nothing more is started, what runs is cancelled and awaited, and that error is
// thrown; what the others then end with is dropped. With `return_exceptions` nothing is cancelled, and every slot is a
// result<T>: its value or its error.
//
// Input is read lazily: `limit` workers pull from it, so that a range of ten million costs the memory of `limit`
// operations and of the results. Throws: std::invalid_argument if limit < 1.
// Suspends: until all have ended. On cancel: nothing more is started, what runs is cancelled and awaited, and unless
// all had finished, operation_aborted (or the first error) is thrown.
// Thread-safety: on an executor with several threads the operations run in parallel, each on a strand of its own; the
// input range and `fn` are then used from several threads, but by one at a time.
#pragma once

#include "dspu/aio/detail/gather_input.hpp"
#include "dspu/aio/detail/gathering.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/aio/result.hpp"

#include <cstdint>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio {

struct gather_options {
  // How many run at once. At least 1.
  std::int64_t limit = 1;
};

struct return_exceptions_t {
  explicit return_exceptions_t() = default;
};
// Asks for every outcome as a result<T> instead of throwing the first error.
inline constexpr return_exceptions_t return_exceptions{};

namespace detail {

template <class Sink, class R, class F>
auto gather_range(R&& range, F fn, std::int64_t limit) {
  using view = std::views::all_t<R>;
  using source = range_source<view, F>;
  using value_type = typename awaited<typename source::op_type>::type;
  return gather_all<value_type, typename Sink::template of<value_type>>(
      source(std::views::all(std::forward<R>(range)), std::move(fn)), limit);
}

struct values_sink {
  template <class T>
  using of = gather_values<T>;
};
struct results_sink {
  template <class T>
  using of = gather_results<T>;
};

// The variadic form: every operation writes to a slot of its own type.
template <class Element>
awaitable<void> run_into(Element e, result_slot<started_t<Element>>& slot) {
  using T = started_t<Element>;
  try {
    auto op = start_element(std::move(e));
    if constexpr (std::is_void_v<T>) {
      co_await std::move(op);
      slot.emplace();
    } else {
      slot.emplace(co_await std::move(op));
    }
  } catch (...) {
    slot.fail(std::current_exception());
    throw;
  }
}

template <class Sink, class Collect, class... Elements>
auto gather_tuple(std::int64_t limit, Collect collect, Elements... elements)
    -> awaitable<decltype(collect(std::declval<result_slot<started_t<Elements>>&>()...))> {
  std::tuple<result_slot<started_t<Elements>>...> slots;
  std::vector<awaitable<void>> ops;
  std::apply([&](auto&... slot) { (ops.push_back(run_into(std::move(elements), slot)), ...); }, slots);
  auto running = gather_all<void, Sink>(vector_source(std::move(ops)), limit);
  co_await std::move(running);
  co_return std::apply(collect, slots);
}

}  // namespace detail

// The operations' results as a tuple; std::monostate stands for void. Each is an awaitable, or a callable without
// arguments that returns one and is called when its turn comes.
template <class... Elements>
  requires(sizeof...(Elements) > 0 && (requires { typename detail::started_t<Elements>; } && ...))
auto gather_with_limit(gather_options options, Elements... elements) {
  const auto values = [](auto&... slots) { return std::make_tuple(std::move(slots.value())...); };
  return detail::gather_tuple<detail::gather_values<void>>(options.limit, values, std::move(elements)...);
}

// The same as a tuple of result<T>.
template <class... Elements>
  requires(sizeof...(Elements) > 0 && (requires { typename detail::started_t<Elements>; } && ...))
auto gather_with_limit(gather_options options, return_exceptions_t, Elements... elements) {
  const auto results = [](auto&... slots) { return std::make_tuple(detail::to_result(slots)...); };
  return detail::gather_tuple<detail::gather_results<void>>(options.limit, results, std::move(elements)...);
}

// Over a range of awaitables (moved in) or of callables: awaitable<std::vector<T>>, awaitable<void> if T is void.
// An lvalue range must outlive the call.
template <detail::gatherable R>
auto gather_with_limit(R&& range, gather_options options) {
  return detail::gather_range<detail::values_sink>(std::forward<R>(range), detail::start_each{}, options.limit);
}

// The same: awaitable<std::vector<result<T>>>.
template <detail::gatherable R>
auto gather_with_limit(R&& range, gather_options options, return_exceptions_t) {
  return detail::gather_range<detail::results_sink>(std::forward<R>(range), detail::start_each{}, options.limit);
}

// fn(element) for each element of the range, called when its turn comes. An lvalue range must outlive the call.
template <std::ranges::input_range R, async_callable<std::ranges::range_reference_t<R>> F>
auto map_with_limit(R&& range, F fn, gather_options options) {
  return detail::gather_range<detail::values_sink>(std::forward<R>(range), std::move(fn), options.limit);
}

template <std::ranges::input_range R, async_callable<std::ranges::range_reference_t<R>> F>
auto map_with_limit(R&& range, F fn, gather_options options, return_exceptions_t) {
  return detail::gather_range<detail::results_sink>(std::forward<R>(range), std::move(fn), options.limit);
}

}  // namespace dspu::aio
