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
#include "dspu/aio/detail/thrown_as.hpp"
#include "dspu/core/verdict.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <system_error>
#include <tuple>
#include <typeinfo>
#include <utility>

namespace dspu::aio {

using core::verdict;

namespace detail {

// result<T>, boost::system::result, std::expected, boost::outcome …: a value, or an error in its place.
template <class T>
concept fallible = requires(const T& t) {
  { t.has_value() } -> std::convertible_to<bool>;
  t.error();
};

// A value that says by itself whether it is an error.
template <class T>
concept error_value =
    std::same_as<T, error_code> || std::same_as<T, std::error_code> || std::same_as<T, std::exception_ptr>;

// What asio::as_tuple gives: an error_value, and what goes with it.
template <class T>
inline constexpr bool is_tuple_with_error = false;
template <error_value First, class... Rest>
inline constexpr bool is_tuple_with_error<std::tuple<First, Rest...>> = true;
template <error_value First, class Second>
inline constexpr bool is_tuple_with_error<std::pair<First, Second>> = true;
template <class T>
concept tuple_with_error = is_tuple_with_error<T>;

template <class T>
bool holds_failure(const T& value) {
  if constexpr (error_value<T>) {
    return static_cast<bool>(value);
  } else if constexpr (tuple_with_error<T>) {
    return static_cast<bool>(std::get<0>(value));
  } else if constexpr (fallible<T>) {
    return !value.has_value();
  } else {
    return false;
  }
}

// Whether a value of this type can stand for a failure at all.
template <class T>
inline constexpr bool may_hold_failure = error_value<T> || tuple_with_error<T> || fallible<T>;

}  // namespace detail

// A view: valid only while the classifier runs.
class outcome {
 public:
  explicit outcome(const std::exception_ptr& error) : error_(error), failed_(true) {}

  template <class T>
  static outcome of(const T& value) {
    outcome o(&value, typeid(T), detail::holds_failure(value));
    if (o.failed_) o.look_into(value);
    return o;
  }
  // What a void operation came to that did not throw.
  static outcome nothing() { return outcome(nullptr, typeid(void), false); }

  // True if it threw, or if its value says so itself: an error_code or exception_ptr that is set, a std::tuple or std::pair
  // that begins with one (asio::as_tuple), a result without a value.
  bool failed() const { return failed_; }
  // What was thrown, or null.
  const std::exception_ptr& exception() const { return error_; }
  // What it failed with, as an exception: what was thrown, or is held by the value, or a system_error of the code that the
  // value holds. Null if it did not fail, or the value does not say with what.
  std::exception_ptr error() const;
  // The code of a system_error that was thrown or is held, or of an error_code or result that was returned; else 0.
  error_code code() const;
  // True if a policy has kept the call from its operation (error::begun()): that is no outcome of the operation.
  bool refused() const;
  // True if it failed as cancelled operations do: with operation_aborted, a code that is equivalent to
  // std::errc::operation_canceled, or channel_cancelled. That does not say who cancelled it.
  bool aborted() const;
  // The value, if it is exactly a T.
  template <class T>
  const T* get_if() const {
    return value_ != nullptr && *type_ == typeid(T) ? static_cast<const T*>(value_) : nullptr;
  }
  // Whether it threw an E or something derived from it.
  template <class E>
  bool threw() const {
    if constexpr (std::is_class_v<E>) {
      return detail::thrown_as<E>(error_) != nullptr;
    } else {
      if (!error_) return false;
      try {
        std::rethrow_exception(error_);
      } catch (const E&) {
        return true;
      } catch (...) {
        return false;
      }
    }
  }

 private:
  outcome(const void* value, const std::type_info& type, bool failed)
      : value_(value), type_(&type), failed_(failed) {}

  // What a value that holds a failure holds.
  template <class T>
  void look_into(const T& value) {
    if constexpr (std::convertible_to<const T&, std::exception_ptr>) {
      held_ = value;
    } else if constexpr (std::convertible_to<const T&, error_code>) {
      code_ = error_code(value);
    } else if constexpr (detail::tuple_with_error<T>) {
      look_into(std::get<0>(value));
    } else if constexpr (detail::fallible<T>) {
      look_into(value.error());
    }
  }

  std::exception_ptr error_;
  std::exception_ptr held_;  // by the value
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

// A value that does not say of itself that it is a failure.
template <class T>
bool is_plain_value(result_slot<T>& result) {
  if (!result.has_value()) return false;
  if constexpr (may_hold_failure<T>) {
    return !holds_failure(result.value());
  } else {
    return true;
  }
}

}  // namespace detail

// How long the outcome itself asks us to wait: retry_after() of an aio::error, else nothing.
std::optional<duration> retry_after_of(const outcome& o);

}  // namespace dspu::aio
