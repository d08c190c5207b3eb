// What all policies have in common: the operations they take, and the two verbs.
//
//   policy.call(fn, args…)   awaitable<T>: runs fn once through the policy
//   policy(fn)               a callable like fn, each call of which goes through the policy
//
// An operation is a callable that returns boost::asio::awaitable<T>. It and its arguments are taken by value and live
// in the call's own coroutine frame, so a lambda with captures is safe here. A decorated callable refers to its policy,
// which must outlive it.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace dspu::aio {

namespace detail {

template <class T>
struct awaited {};
template <class T>
struct awaited<awaitable<T>> {
  using type = T;
};

}  // namespace detail

// Something that, called with Args, gives an awaitable.
template <class F, class... Args>
concept async_callable = std::invocable<F&, Args...> && requires {
  typename detail::awaited<std::invoke_result_t<F&, Args...>>::type;
};

// What awaiting its result gives.
template <class F, class... Args>
using awaited_t = typename detail::awaited<std::invoke_result_t<F&, Args...>>::type;

}  // namespace dspu::aio
