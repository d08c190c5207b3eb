// What the policies throw, and how to tell it apart.
//
// Every error derives from boost::system::system_error with a code of one category, and carries its facts as
// members. `e.code() == std::errc::timed_out` and the like work. Bad options and arguments are not among these: they
// are std::invalid_argument.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/core/circuit_state.hpp"

#include <boost/system/system_error.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace dspu::aio {

enum class errc {
  circuit_open = 1,       // the breaker refused the call                        ≙ std::errc::connection_refused
  timed_out,              // run_with_timeout's time was over                    ≙ std::errc::timed_out
  queue_full,             // the policy's queue holds as many as it may          ≙ std::errc::no_buffer_space
  callback_failed,        // a callback threw; its error and the call's are kept
  would_exceed_deadline,  // refused at once: the wait would outlast the call    ≙ std::errc::timed_out
  bulkhead_full,          // as many calls are under way as may be               ≙ std::errc::device_or_resource_busy
  throttled,              // refused by chance, for the backend refuses a lot    ≙ std::errc::device_or_resource_busy
  fault_injected,         // chaos made it fail
  too_many_keys,          // a keyed policy has no room for another key          ≙ std::errc::no_buffer_space
};

const boost::system::error_category& category() noexcept;
error_code make_error_code(errc e) noexcept;

namespace detail {
struct error_access;
}

// What all policy errors share.
class error : public boost::system::system_error {
 public:
  explicit error(errc e) : system_error(make_error_code(e)) {}
  error(errc e, const char* what) : system_error(make_error_code(e), what) {}

  // How long until asking again makes sense, as far as the policy knows. `retry` waits that long.
  std::optional<duration> retry_after() const noexcept { return retry_after_; }
  // False if a policy has kept the call from its operation: it was refused, or it timed out in a line. Policies further out count
  // nothing for such a call, and get back what they had given for it: tokens, places, permits. True for errors made by
  // hand: to policies these are failures like any other.
  bool begun() const noexcept { return begun_; }
  // What the newest attempt had failed with, if one had.
  const std::exception_ptr& last_error() const noexcept { return last_error_; }

 protected:
  std::optional<duration> retry_after_;
  std::exception_ptr last_error_;
  bool begun_ = true;

 private:
  friend struct detail::error_access;
};

using core::circuit_state;

// The call was not made: the breaker is open, half-open with all its probes out, or isolated.
class circuit_breaker_error : public error {
 public:
  circuit_breaker_error(circuit_state state, std::int64_t failure_count, std::optional<duration> retry_after);
  circuit_state state() const noexcept { return state_; }
  std::int64_t failure_count() const noexcept { return failure_count_; }

 private:
  circuit_state state_;
  std::int64_t failure_count_;
};

class async_timeout_error : public error {
 public:
  explicit async_timeout_error(duration timeout, std::exception_ptr last_error = nullptr);
  duration timeout() const noexcept { return timeout_; }

 private:
  duration timeout_;
};

// The call was refused at once, without waiting, for what it would have to wait for comes after its deadline.
class deadline_error : public error {
 public:
  deadline_error(duration needed, duration remaining, std::exception_ptr last_error = nullptr);
  // How long the wait would have taken; duration::max() if for ever.
  duration needed() const noexcept { return needed_; }
  // How long the call had left; never below 0.
  duration remaining() const noexcept { return remaining_; }

 private:
  duration needed_;
  duration remaining_;
};

class queue_full_error : public error {
 public:
  explicit queue_full_error(std::size_t limit);
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t limit_;
};

// As many calls are under way, and waiting, as a bulkhead or an adaptive limit allows.
class bulkhead_full_error : public error {
 public:
  bulkhead_full_error(std::int64_t limit, std::int64_t waiting);
  std::int64_t limit() const noexcept { return limit_; }
  std::int64_t waiting() const noexcept { return waiting_; }

 private:
  std::int64_t limit_;
  std::int64_t waiting_;
};

// A keyed policy has as many keys as it may, all of them in use.
class too_many_keys_error : public error {
 public:
  explicit too_many_keys_error(std::size_t limit);
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t limit_;
};

// Refused by chance, for the server has refused a lot of late.
class throttled_error : public error {
 public:
  explicit throttled_error(double probability);
  // With which it was refused.
  double probability() const noexcept { return probability_; }

 private:
  double probability_;
};

// What chaos throws unless told otherwise.
class injected_fault : public error {
 public:
  injected_fault() : error(errc::fault_injected) {}
};

// A user's callback threw. Neither error is lost: callback() is what it threw, cause() the error it was told of.
class callback_error : public error {
 public:
  callback_error(std::exception_ptr callback, std::exception_ptr cause);
  const std::exception_ptr& callback() const noexcept { return callback_; }
  const std::exception_ptr& cause() const noexcept { return cause_; }

 private:
  std::exception_ptr callback_;
  std::exception_ptr cause_;
};

// The caller was cancelled while a policy waited, before the operation or between two attempts: code() is asio's
// operation_aborted, as for any cancelled operation.
class cancelled_error : public boost::system::system_error {
 public:
  explicit cancelled_error(std::exception_ptr last_error);
  // As those of `error`.
  bool begun() const noexcept { return begun_; }
  const std::exception_ptr& last_error() const noexcept { return last_error_; }

 private:
  friend struct detail::error_access;

  std::exception_ptr last_error_;
  bool begun_ = true;
};

namespace detail {

struct error_access {
  template <class E>
  static std::exception_ptr make(E error, bool begun, const std::exception_ptr& last) {
    error.begun_ = begun;
    if (!error.last_error_) error.last_error_ = last;
    return std::make_exception_ptr(std::move(error));
  }
};

// What comes out of a call that fails with that error. One of a policy's says whether the call had begun its operation, and
// what the newest attempt had failed with (`last`, if there was one); other errors stay as they are.
std::exception_ptr completed(const std::exception_ptr& error, bool begun, const std::exception_ptr& last);

}  // namespace detail

}  // namespace dspu::aio

template <>
struct boost::system::is_error_code_enum<dspu::aio::errc> : std::true_type {};
