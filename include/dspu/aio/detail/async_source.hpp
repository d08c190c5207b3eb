// What one can iterate over asynchronously, brought to one form: next_of(source) → awaitable<optional<T>>.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace dspu::aio::detail {

template <class A>
struct optional_awaited;
template <class T>
struct optional_awaited<awaitable<std::optional<T>>> {
  using type = T;
};

// Has next().
template <class S>
concept next_source = requires(S& s) { typename optional_awaited<decltype(s.next())>::type; };

// What a deferred operation completes with.
template <class Op>
struct deferred_item;
template <class T, class... Rest>
struct deferred_item<asio::deferred_async_operation<void(std::exception_ptr, std::optional<T>), Rest...>> {
  using type = T;
};
template <class T, class... Rest>
struct deferred_item<asio::deferred_async_operation<void(std::optional<T>), Rest...>> {  // a coro<T() noexcept>
  using type = T;
};
template <class T, class... Rest>
struct deferred_item<asio::deferred_async_operation<void(error_code, T), Rest...>> {
  using type = T;
};

// A coro: has async_resume() that gives a value or nothing.
template <class S>
concept coro_source =
    requires(S& s) { typename deferred_item<decltype(s.async_resume(asio::deferred))>::type; };

// A channel: has async_receive() that gives a value or an error.
template <class S>
concept channel_source =
    requires(S& s) { typename deferred_item<decltype(s.async_receive(asio::deferred))>::type; };

inline bool ends_channel(error_code ec) {
  namespace errc = asio::experimental::error;
  return ec == errc::channel_closed || ec == errc::channel_cancelled || ec == asio::error::eof ||
         ec == asio::error::operation_aborted;
}

template <next_source S>
auto next_of(S& source) {
  return source.next();
}

// (use_awaitable, because awaiting a deferred operation with this signature does not compile in 1.81.)
template <coro_source S>
auto next_of(S& source) -> awaitable<std::optional<typename S::yield_type>> {
  return source.async_resume(asio::use_awaitable);
}

// A receive that was aborted is the end of the channel, unless it was the caller who was cancelled.
template <channel_source S>
auto next_of(S& source)
    -> awaitable<std::optional<typename deferred_item<decltype(source.async_receive(asio::deferred))>::type>> {
  auto received = source.async_receive(asio::deferred);
  error_code ec;
  try {
    co_return co_await std::move(received);
  } catch (const boost::system::system_error& e) {
    if (!ends_channel(e.code())) throw;
    ec = e.code();
  }
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return std::nullopt;
}

template <class S>
concept async_source = next_source<S> || coro_source<S> || channel_source<S>;

template <async_source S>
using item_of = typename optional_awaited<decltype(next_of(std::declval<S&>()))>::type;

// A callable that makes a source, with or without the executor on which it will run.
template <class F>
concept source_factory = !async_source<F> && (std::invocable<F&, asio::any_io_executor> || std::invocable<F&>);

template <class F>
auto make_source(F& fn, const asio::any_io_executor& ex) {
  if constexpr (std::invocable<F&, asio::any_io_executor>) {
    return fn(ex);
  } else {
    return fn();
  }
}

}  // namespace dspu::aio::detail
