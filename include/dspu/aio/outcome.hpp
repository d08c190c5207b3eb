// How a policy sees what an operation came to: one view of exceptions, error codes and results, and one kind of filter.
//
//   .classify = failing_on<std::runtime_error>()                     // everything else is ignored
//   .classify = [](const outcome& o) {                               // or look at the value
//     if (const auto* r = o.get_if<http_response>()) return r->status >= 500 ? verdict::failure : verdict::success;
//     return default_verdict(o);
//   }
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/core/verdict.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <typeinfo>

namespace dspu::aio {

using core::verdict;

namespace detail {

// result<T>, boost::system::result, std::expected, boost::outcome …: a value, or an error in its place.
template <class T>
concept fallible = requires(const T& t) {
  { t.has_value() } -> std::convertible_to<bool>;
  t.error();
};

template <class T>
bool holds_failure(const T& value) {
  if constexpr (std::same_as<T, error_code>) {
    return value.failed();
  } else if constexpr (fallible<T>) {
    return !value.has_value();
  } else {
    return false;
  }
}

// Whether a value of this type can stand for a failure at all.
template <class T>
inline constexpr bool may_hold_failure = std::same_as<T, error_code> || fallible<T>;

}  // namespace detail

// A view: valid only while the classifier runs.
class outcome {
 public:
  explicit outcome(const std::exception_ptr& error) : error_(error), failed_(true) {}

  template <class T>
  static outcome of(const T& value) {
    return outcome(&value, typeid(T), detail::holds_failure(value), code_in(value));
  }
  // What a void operation came to that did not throw.
  static outcome nothing() { return outcome(nullptr, typeid(void), false, {}); }

  // True if it threw, or if its value says so itself (an error_code that is set, a result without a value).
  bool failed() const { return failed_; }
  // The exception, or null.
  const std::exception_ptr& exception() const { return error_; }
  // The code of a system_error that was thrown, or of an error_code or result that was returned; else 0.
  error_code code() const;
  // The value, if it is exactly a T.
  template <class T>
  const T* get_if() const {
    return value_ != nullptr && *type_ == typeid(T) ? static_cast<const T*>(value_) : nullptr;
  }
  // Whether it threw an E or something derived from it.
  template <class E>
  bool threw() const {
    if (!error_) return false;
    try {
      std::rethrow_exception(error_);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  outcome(const void* value, const std::type_info& type, bool failed, error_code code)
      : value_(value), type_(&type), failed_(failed), code_(code) {}

  template <class T>
  static error_code code_in(const T& value) {
    if constexpr (std::same_as<T, error_code>) {
      return value;
    } else if constexpr (detail::fallible<T>) {
      if constexpr (std::convertible_to<decltype(value.error()), error_code>) {
        return value.has_value() ? error_code{} : error_code{value.error()};
      }
    }
    return {};
  }

  std::exception_ptr error_;
  const void* value_ = nullptr;
  const std::type_info* type_ = &typeid(void);
  bool failed_;
  error_code code_;
};

using classifier = std::function<verdict(const outcome&)>;

// What policies go by when given no classifier: failed() is a failure, all else a success.
inline verdict default_verdict(const outcome& o) { return o.failed() ? verdict::failure : verdict::success; }

// Failures are the named exceptions (and what derives from them); other errors are ignored.
template <class... Exceptions>
classifier failing_on() {
  return [](const outcome& o) {
    if (!o.failed()) return verdict::success;
    return (o.threw<Exceptions>() || ...) ? verdict::failure : verdict::ignored;
  };
}

// The named exceptions are ignored; other errors are failures.
template <class... Exceptions>
classifier ignoring() {
  return [](const outcome& o) {
    if (!o.failed()) return verdict::success;
    return (o.threw<Exceptions>() || ...) ? verdict::ignored : verdict::failure;
  };
}

namespace detail {

// Requires: !result.empty(). The view is valid as long as the slot.
template <class T>
outcome outcome_of(result_slot<T>& result) {
  if (!result.has_value()) return outcome(result.error());
  if constexpr (std::is_void_v<T>) {
    return outcome::nothing();
  } else {
    return outcome::of(result.value());
  }
}

// A success that no classifier needs to look at.
template <class T>
bool is_plain_success(const result_slot<T>& result, const classifier& classify) {
  return !may_hold_failure<T> && result.has_value() && !classify;
}

}  // namespace detail

// How long the outcome itself asks us to wait: retry_after() of an aio::error, else nothing.
std::optional<duration> retry_after_of(const outcome& o);

}  // namespace dspu::aio
