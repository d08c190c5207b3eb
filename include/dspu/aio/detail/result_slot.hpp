// Where the result of an operation is kept until somebody takes it.
#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace dspu::aio::detail {

template <class T>
class result_slot {
 public:
  using stored_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  template <class... Args>
  [[gnu::always_inline]] void emplace(Args&&... args) {
    error_ = nullptr;
    value_.emplace(std::forward<Args>(args)...);
  }
  // The same. Requires: empty().
  template <class... Args>
  [[gnu::always_inline]] void fill(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
  }
  void fail(std::exception_ptr e) {
    value_.reset();
    error_ = std::move(e);
  }

  bool empty() const { return !value_ && !error_; }
  bool has_value() const { return value_.has_value(); }
  // The error, or null.
  const std::exception_ptr& error() const { return error_; }
  stored_type& value() { return *value_; }

  // Moves the value out. Requires: has_value().
  [[gnu::always_inline]] T take_value() {
    if constexpr (!std::is_void_v<T>) return *std::move(value_);
  }
  // Moves the value out or throws the error. Requires: !empty().
  [[gnu::always_inline]] T take() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if constexpr (!std::is_void_v<T>) return *std::move(value_);
  }

 private:
  std::optional<stored_type> value_;
  std::exception_ptr error_;  // null unless it failed
};

}  // namespace dspu::aio::detail
