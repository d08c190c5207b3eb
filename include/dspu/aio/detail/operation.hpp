// What policies run: a callable that gives an awaitable, and may take the call's context first.
#pragma once

#include "dspu/aio/call_context.hpp"
#include "dspu/aio/policy.hpp"

#include <functional>
#include <utility>

namespace dspu::aio::detail {

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

// The arguments are moved to the operation, unless it may be run again.
template <bool Again, class F, class... Args>
auto start_operation(const call_context& context, F& fn, Args&... args) {
  if constexpr (Again) {
    return invoke_operation(context, fn, args...);
  } else {
    return invoke_operation(context, fn, std::move(args)...);
  }
}
// The same for an operation that takes no context.
template <bool Again, class F, class... Args>
auto start_without_context(F& fn, Args&... args) {
  if constexpr (Again) {
    return std::invoke(fn, args...);
  } else {
    return std::invoke(fn, std::move(args)...);
  }
}

// Whether it is the operation itself, not what is inside of a stage that surrounds.
template <class F>
inline constexpr bool is_attempt = true;

}  // namespace dspu::aio::detail
