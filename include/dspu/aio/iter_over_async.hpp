// iter_over_async: an asynchronous generator as an ordinary input range, for code that may block.
//
//   for (page& p : iter_over_async(pages(client))) print(p);
//   for (int n : iter_over_async(primes()) | std::views::take(10)) …
//
// Sources:
//   - a generator<T> (generator.hpp), and anything else whose next() returns awaitable<optional<T>>;
//   - a boost::asio::experimental::coro<T>;
//   - a channel whose messages are (error_code, T); closed, cancelled and eof are its end (closing a channel of 1.81
//     drops what it buffers: to end one in order, send it asio::error::eof);
//   - a callable that returns one of these. It is called by the first begin(), with the executor if it takes one.
// An lvalue is used where it is, and must outlive the range; an rvalue is moved in.
//
// Where it runs: on the executor (io_context, thread_pool) given, which somebody else must run. Without one: where the
// source runs, if that has a get_executor(), as channels and coros do; else on a private loop of the calling thread.
// A source that a callable returns runs on the private loop, too. Iterating from a thread that runs the executor is
// std::logic_error.
//
// The items come one at a time: begin() and each ++ block until the next one is there. What the source throws comes out
// of there, and the range is at its end then. A stop request cancels what is awaited. A range that is destroyed destroys
// its source, on its executor, and a private loop with what the source left on it.
//
// Thread-safety: none; one thread at a time.
#pragma once

#include "dspu/aio/detail/async_source.hpp"
#include "dspu/aio/detail/source_host.hpp"
#include "dspu/aio/detail/running.hpp"

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace dspu::aio {

// Movable, not copyable; single pass.
template <class Held>
class async_range {
  struct state;

 public:
  using value_type = typename detail::source_host<Held>::item_type;

  class iterator {
   public:
    using value_type = async_range::value_type;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    iterator() = default;
    value_type& operator*() const { return *state_->item; }
    value_type* operator->() const { return &*state_->item; }
    // Blocks. Throws: what the source throws; operation_aborted if stopped, or if the executor's context is.
    iterator& operator++() {
      state_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) { return !i.state_->item; }

   private:
    friend async_range;
    explicit iterator(state* s) : state_(s) {}

    state* state_ = nullptr;
  };

  async_range(Held held, std::optional<asio::any_io_executor> place, std::stop_token stop)
      : state_(new state{{std::move(held), std::move(place), std::move(stop)}}) {}

  // Fetches the first item, the first time. Throws: as ++ does.
  iterator begin() {
    if (!std::exchange(state_->started, true)) state_->advance();
    return iterator{state_.get()};
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  struct state {
    detail::source_host<Held> host;
    std::optional<value_type> item = std::nullopt;
    bool started = false;
    bool ended = false;

    void advance() {
      item.reset();
      if (std::exchange(ended, true)) return;
      item = host.next();
      ended = !item;
    }
  };

  std::unique_ptr<state> state_;  // iterators point to it; it stays where it is when the range is moved
};

namespace detail {

template <class S>
concept iterable_source = async_source<std::remove_cvref_t<S>> || source_factory<std::decay_t<S>>;

template <class S>
auto make_range(S&& source, std::optional<asio::any_io_executor> place, std::stop_token stop) {
  using source_type = std::remove_cvref_t<S>;
  if constexpr (!async_source<source_type>) {
    using held = made_source<std::decay_t<S>>;
    return async_range<held>({std::forward<S>(source)}, std::move(place), std::move(stop));
  } else if constexpr (std::is_lvalue_reference_v<S>) {
    return async_range<borrowed_source<source_type>>({&source}, std::move(place), std::move(stop));
  } else {
    return async_range<owned_source<source_type>>({std::move(source)}, std::move(place), std::move(stop));
  }
}

}  // namespace detail

template <class S>
  requires detail::iterable_source<S>
auto iter_over_async(S&& source, std::stop_token stop = {}) {
  return detail::make_range(std::forward<S>(source), std::nullopt, std::move(stop));
}

template <class S, execution_place E>
  requires detail::iterable_source<S>
auto iter_over_async(S&& source, E&& place, std::stop_token stop = {}) {
  return detail::make_range(std::forward<S>(source), detail::executor_of(std::forward<E>(place)), std::move(stop));
}

}  // namespace dspu::aio
