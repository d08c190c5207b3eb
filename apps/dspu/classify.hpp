// What the result of an attempt means: to the request, and to the breaker of its origin.
#pragma once

#include "dspu/core/duration.hpp"
#include "dspu/core/verdict.hpp"
#include "dspu/rate_headers.hpp"
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
  // What an answer says about when to come back, and about the limit that its origin keeps.
  std::optional<core::duration> retry_after = std::nullopt;
  std::optional<rate_quota> quota = std::nullopt;

  // Of the answer, or of what had come of one; 0 if nothing had.
  unsigned status() const { return failure ? reached.status : response.status; }
  bool answered() const { return !failure.has_value(); }
};

// Whether an answer says that the request was not carried out because the origin gets too many.
enum class load_refusal {
  none,
  unsure,  // 503 without a Retry-After: too many requests, or an origin that is ill
  sure,    // 429; 503 with a Retry-After; 403 with the headers of a rate limit, as GitHub sends it
};
load_refusal refusal_of(const attempt_result& result);

// How long a refusal asks to stay away: as its Retry-After says, or until a quota that is used up is renewed.
std::optional<core::duration> wait_asked_by(const attempt_result& result);

// --retry-on and --retry-unsafe.
struct retry_rules {
  std::bitset<600> statuses;
  std::bitset<transport_failure_count> failures;  // by transport_failure
  bool unsafe = false;

  bool lists(unsigned status) const { return status < statuses.size() && statuses.test(status); }
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
// not idempotent is repeated only if it was certainly not carried out (nothing of it was sent, or it was refused for
// load), if it carries an Idempotency-Key, or if --retry-unsafe says so: else the server might have done it already.
// A 403 that is a refusal for load is retried where 429 is.
bool may_retry(const retry_rules& rules, const http_request& request, const attempt_result& result);

// For the breaker, which is for origins that are ill and not for those that are full. 5xx, 408 and whatever keeps the
// origin from answering are failures; any other status is an answer. Sure refusals for load are ignored, and so is
// what says nothing of the origin: a body that we do not take, and a proxy that does not let us through.
core::verdict origin_verdict(const attempt_result& result);

// What the attempt says of the origin's load: answers take longer the more there is of it, until some are
// refused or come too late. What failed before it was sent, or for reasons of its own, says nothing.
enum class load_sign { none, latency, dropped };
load_sign load_sign_of(const attempt_result& result);

// Whether a Retry-After on this response speaks for the origin as a whole: on refusals for load, and on what is
// retried.
bool may_hold_origin(const retry_rules& rules, const attempt_result& result);

// For the result line, if nothing follows.
outcome final_outcome(const attempt_result& result);

}  // namespace dspu::app
