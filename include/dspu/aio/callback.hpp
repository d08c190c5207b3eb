// A user's callback, plain or asynchronous: `[](int n) { … }` or `[](int n) -> awaitable<void> { … }`.
#pragma once

#include "dspu/aio/policy.hpp"

#include <functional>
#include <type_traits>
#include <utility>

namespace dspu::aio {

template <class... Args>
class callback {
 public:
  callback() = default;
  callback(std::nullptr_t) {}

  template <class F>
    requires(!std::same_as<std::decay_t<F>, callback> && std::invocable<std::decay_t<F>&, Args...>)
  callback(F&& f) {
    if constexpr (async_callable<std::decay_t<F>, Args...>) {
      asynchronous_ = std::forward<F>(f);
    } else {
      plain_ = std::forward<F>(f);
    }
  }

  explicit operator bool() const { return plain_ || asynchronous_; }
  bool is_async() const { return static_cast<bool>(asynchronous_); }

  // Requires: !is_async().
  void call(Args... args) const {
    if (plain_) plain_(args...);
  }

  // Suspends: as the callback does.
  awaitable<void> await(Args... args) const {
    if (asynchronous_) {
      co_await asynchronous_(args...);
    } else {
      call(args...);
    }
  }

 private:
  std::function<void(Args...)> plain_;
  std::function<awaitable<void>(Args...)> asynchronous_;
};

}  // namespace dspu::aio
