// Where the result of an operation is kept until somebody takes it.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace dspu::aio::detail {

template <class T>
class result_slot {
 public:
  using stored_type = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  template <class... Args>
  void emplace(Args&&... args) {
    state_.template emplace<1>(std::forward<Args>(args)...);
  }
  void fail(std::exception_ptr e) { state_.template emplace<2>(std::move(e)); }

  bool empty() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 1; }
  // The error, or null.
  std::exception_ptr error() const { return state_.index() == 2 ? std::get<2>(state_) : nullptr; }
  stored_type& value() { return std::get<1>(state_); }

  // Moves the value out or throws the error. Requires: !empty().
  T take() {
    if (state_.index() == 2) std::rethrow_exception(std::get<2>(std::move(state_)));
    if constexpr (!std::is_void_v<T>) return std::get<1>(std::move(state_));
  }

 private:
  struct nothing {};
  std::variant<nothing, stored_type, std::exception_ptr> state_;
};

}  // namespace dspu::aio::detail
