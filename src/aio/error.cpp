#include "dspu/aio/error.hpp"

#include "dspu/aio/detail/thrown_as.hpp"
#include "dspu/aio/outcome.hpp"

#include <boost/asio/error.hpp>

#include <cstdio>
#include <string>

namespace dspu::aio {

namespace {

class policy_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "dspu.aio"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::circuit_open: return "circuit breaker is open";
      case errc::timed_out: return "operation timed out";
      case errc::queue_full: return "too many are waiting";
      case errc::callback_failed: return "a callback threw";
      case errc::would_exceed_deadline: return "would exceed the deadline";
      case errc::bulkhead_full: return "too many calls are under way";
      case errc::throttled: return "throttled";
      case errc::fault_injected: return "a fault was injected";
      case errc::too_many_keys: return "too many keys are in use";
    }
    return "unknown dspu.aio error";
  }

  boost::system::error_condition default_error_condition(int value) const noexcept override {
    using namespace boost::system::errc;
    switch (static_cast<errc>(value)) {
      case errc::circuit_open: return make_error_condition(connection_refused);
      case errc::timed_out: return make_error_condition(boost::system::errc::timed_out);
      case errc::queue_full:
      case errc::too_many_keys: return make_error_condition(no_buffer_space);
      case errc::would_exceed_deadline: return make_error_condition(boost::system::errc::timed_out);
      case errc::bulkhead_full:
      case errc::throttled: return make_error_condition(device_or_resource_busy);
      case errc::callback_failed:
      case errc::fault_injected: break;
    }
    return {value, *this};
  }
};

std::string in_seconds(duration d) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g s", std::chrono::duration<double>(d).count());
  return text;
}

std::string describe_refusal(circuit_state state, std::int64_t failures, std::optional<duration> retry_after) {
  if (state == circuit_state::isolated) return "isolated by hand";
  std::string text = state == circuit_state::half_open ? "half-open, all probes out" : "open";
  if (failures > 0) text += " after " + std::to_string(failures) + " failures";
  if (retry_after) text += ", next probe in " + in_seconds(*retry_after);
  return text;
}

}  // namespace

const boost::system::error_category& category() noexcept {
  static const policy_category instance;
  return instance;
}

error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), category()}; }

circuit_breaker_error::circuit_breaker_error(circuit_state state, std::int64_t failure_count,
                                             std::optional<duration> retry_after)
    : error(errc::circuit_open, describe_refusal(state, failure_count, retry_after).c_str()),
      state_(state),
      failure_count_(failure_count) {
  retry_after_ = retry_after;
}

async_timeout_error::async_timeout_error(duration timeout, std::exception_ptr last_error)
    : error(errc::timed_out, ("after " + in_seconds(timeout)).c_str()), timeout_(timeout) {
  last_error_ = std::move(last_error);
}

deadline_error::deadline_error(duration needed, duration remaining, std::exception_ptr last_error)
    : error(errc::would_exceed_deadline,
            ("a wait of " + in_seconds(needed) + " with " + in_seconds(remaining) + " left").c_str()),
      needed_(needed),
      remaining_(remaining) {
  last_error_ = std::move(last_error);
}

queue_full_error::queue_full_error(std::size_t limit)
    : error(errc::queue_full, ("the limit is " + std::to_string(limit)).c_str()), limit_(limit) {}

bulkhead_full_error::bulkhead_full_error(std::int64_t limit, std::int64_t waiting)
    : error(errc::bulkhead_full,
            (std::to_string(limit) + " under way, " + std::to_string(waiting) + " waiting").c_str()),
      limit_(limit),
      waiting_(waiting) {}

too_many_keys_error::too_many_keys_error(std::size_t limit)
    : error(errc::too_many_keys, ("the limit is " + std::to_string(limit)).c_str()), limit_(limit) {}

throttled_error::throttled_error(double probability)
    : error(errc::throttled, ("with probability " + std::to_string(probability)).c_str()), probability_(probability) {}

callback_error::callback_error(std::exception_ptr callback, std::exception_ptr cause)
    : error(errc::callback_failed), callback_(std::move(callback)), cause_(std::move(cause)) {}

cancelled_error::cancelled_error(std::exception_ptr last_error)
    : system_error(asio::error::operation_aborted, "cancelled by its caller"), last_error_(std::move(last_error)) {}

namespace detail {

namespace {

// The same error, if it is exactly an E.
template <class E>
bool remake(std::exception_ptr& error, bool begun, const std::exception_ptr& last) {
  const E* const known = thrown_as<E>(error);
  if (known == nullptr || typeid(*known) != typeid(E)) return false;
  error = error_access::make(E(*known), begun, last);
  return true;
}
template <class... Errors>
void remake_any(std::exception_ptr& error, bool begun, const std::exception_ptr& last) {
  static_cast<void>((remake<Errors>(error, begun, last) || ...));
}

}  // namespace

std::exception_ptr completed(const std::exception_ptr& error, bool begun, const std::exception_ptr& last) {
  std::exception_ptr out = error;
  if (const auto* const by_policy = thrown_as<aio::error>(error)) {
    if (by_policy->begun() == begun) return out;
    remake_any<circuit_breaker_error, deadline_error, queue_full_error, bulkhead_full_error, throttled_error,
               too_many_keys_error, async_timeout_error>(out, begun, last);
  } else if (const auto* const cancelled = thrown_as<cancelled_error>(error)) {
    if (cancelled->begun() != begun) remake_any<cancelled_error>(out, begun, last);
  } else if (!begun && outcome(error).aborted()) {  // in a policy's line
    out = error_access::make(cancelled_error(last), begun, last);
  }
  return out;
}

}  // namespace detail

}  // namespace dspu::aio
