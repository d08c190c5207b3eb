// What a gather reads: a range of operations, or of what becomes one, one at a time.
#pragma once

#include "dspu/aio/policy.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace dspu::aio::detail {

template <class T>
struct is_awaitable : std::false_type {};
template <class T>
struct is_awaitable<awaitable<T>> : std::true_type {};

// What starting an element of the input gives: elements are awaitables, or callables that return one.
template <class Element>
struct started {};
template <async_callable Element>
struct started<Element> {
  using type = awaited_t<Element>;
};
template <class T>
struct started<awaitable<T>> {
  using type = T;
};
template <class Element>
using started_t = typename started<std::remove_cvref_t<Element>>::type;

template <class Element>
awaitable<started_t<Element>> start_element(Element&& e) {
  if constexpr (is_awaitable<std::remove_cvref_t<Element>>::value) {
    return std::move(e);
  } else {
    return std::forward<Element>(e)();
  }
}

// A source gives operations one at a time: next() sets `op` to the next, or `error` to what the call threw that was to give it,
// and is false at the input's end. It throws what the input itself throws.

// Reads a range and applies `fn`.
template <class View, class F>
class range_source {
 public:
  using op_type = std::invoke_result_t<F&, std::ranges::range_reference_t<View>>;

  range_source(View view, F fn) : view_(std::move(view)), fn_(std::move(fn)) {}
  // Before the first next(); an iterator into a moved view would dangle.
  range_source(range_source&&) = default;

  bool next(op_type& op, std::exception_ptr& error) {
    if (!position_) {
      position_.emplace(std::ranges::begin(view_));
    } else {
      ++*position_;
    }
    if (*position_ == std::ranges::end(view_)) return false;
    std::ranges::range_reference_t<View> element = **position_;
    try {
      op = std::invoke(fn_, std::forward<std::ranges::range_reference_t<View>>(element));
    } catch (...) {
      error = std::current_exception();
    }
    return true;
  }

  // Whether the element given last is known to be the last, without reading on.
  bool finished() {
    if constexpr (std::ranges::forward_range<View>) {
      return position_ && std::ranges::next(*position_) == std::ranges::end(view_);
    } else {
      return false;
    }
  }

 private:
  View view_;
  F fn_;
  std::optional<std::ranges::iterator_t<View>> position_;
};

struct start_each {
  template <class Element>
  auto operator()(Element&& e) const {
    return start_element(std::forward<Element>(e));
  }
};

template <class R>
using range_started_t = started_t<std::ranges::range_reference_t<R>>;

// An lvalue range of awaitables would be emptied behind its owner's back.
template <class R>
concept gatherable = std::ranges::input_range<R> && requires { typename range_started_t<R>; } &&
                     (!std::is_lvalue_reference_v<R> || std::ranges::view<std::remove_cvref_t<R>> ||
                      !is_awaitable<std::ranges::range_value_t<R>>::value);

class vector_source {
 public:
  explicit vector_source(std::vector<awaitable<void>> ops) : ops_(std::move(ops)) {}
  bool next(awaitable<void>& op, std::exception_ptr&) {
    if (position_ == ops_.size()) return false;
    op = std::move(ops_[position_++]);
    return true;
  }
  bool finished() const { return position_ == ops_.size(); }

 private:
  std::vector<awaitable<void>> ops_;
  std::size_t position_ = 0;
};

}  // namespace dspu::aio::detail
