// What an executor's context is doing: whether this very thread runs it, and whether it was stopped.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

asio::execution_context& context_of(const asio::any_io_executor& ex);

// Whether this thread is inside run() of the executor's io_context, or is a thread of its pool.
bool runs_here(const asio::any_io_executor& ex);

bool is_stopped(asio::execution_context& context);

// The same for those who ask often.
class stop_flag {
 public:
  explicit stop_flag(asio::execution_context& context);
  bool is_set() const;

 private:
  const asio::detail::scheduler* scheduler_;  // null if the context has none
};

}  // namespace dspu::aio::detail

namespace dspu::aio {

namespace detail {

template <class C>
concept has_executor = std::derived_from<std::remove_cvref_t<C>, asio::execution_context> &&
                       requires(C& c) { asio::any_io_executor(c.get_executor()); };

}  // namespace detail

// What says where to run: an executor, or a context that has one (an io_context, a thread_pool).
template <class E>
concept execution_place = std::convertible_to<E, asio::any_io_executor> || detail::has_executor<E>;

namespace detail {

template <execution_place E>
asio::any_io_executor executor_of(E&& e) {
  if constexpr (std::convertible_to<E, asio::any_io_executor>) {
    return std::forward<E>(e);
  } else {
    return e.get_executor();
  }
}

}  // namespace detail

}  // namespace dspu::aio
