// What the result of an attempt means: to the request, and to the breaker of its origin.
#pragma once

#include "dspu/core/verdict.hpp"
#include "dspu/record.hpp"
#include "dspu/transport.hpp"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// Methods that may be carried out twice with the effect of once (RFC 9110, 9.2.2).
bool is_idempotent(std::string_view method);

// 5xx, 408 and 429: the origin is not well, or wants less.
bool is_failure(unsigned status);

// What came of one attempt.
struct attempt_result {
  http_response response{};                                 // if there was an answer
  std::optional<transport_failure> failure = std::nullopt;  // if there was none
  std::string error{};
  exchange_progress reached{};  // if there was none

  // Of the answer, or of what had come of one; 0 if nothing had.
  unsigned status() const { return failure ? reached.status : response.status; }
  bool answered() const { return !failure.has_value(); }
};

// --retry-on and --retry-unsafe.
struct retry_rules {
  std::bitset<600> statuses;
  std::bitset<transport_failure_count> failures;  // by transport_failure
  bool unsafe = false;

  bool operator==(const retry_rules&) const = default;
};

inline constexpr std::string_view default_retry_on =
    "408,425,429,500,502,503,504,connect,reset,timeout,dns_temporary";

// A list of statuses (400 to 599) and of connect, proxy, reset, timeout (every kind: also connect_timeout,
// first_byte_timeout and stalled), dns (every failure to look a name up),
// dns_temporary (where it may be found another time), tls, protocol; "none" for nothing.
// Throws: std::invalid_argument.
retry_rules parse_retry_on(std::string_view text);

// Whether the attempt may be repeated, as far as its result and its method are concerned. A method that is
// not idempotent is repeated only if nothing of the request was sent, if it carries an Idempotency-Key, or if
// --retry-unsafe says so: else the server might have done it already.
bool may_retry(const retry_rules& rules, const http_request& request, const attempt_result& result);

// For the breaker. 5xx, 408 and 429 and whatever keeps the origin from answering are failures; any other
// status is an answer. A 429 that says when to come back is ignored: it is obeyed, and the origin is well.
core::verdict origin_verdict(const attempt_result& result, bool has_retry_after);

// What the attempt says of the origin's load: answers take longer the more there is of it, until some are
// refused or come too late. What failed before it was sent, or for reasons of its own, says nothing.
enum class load_sign { none, latency, dropped };
load_sign load_sign_of(const attempt_result& result);

// Whether a Retry-After on this response speaks for the origin as a whole: on 429, on 503, and on what is
// retried.
bool may_hold_origin(const retry_rules& rules, unsigned status);

// For the result line, if nothing follows.
outcome final_outcome(const attempt_result& result);

}  // namespace dspu::app
