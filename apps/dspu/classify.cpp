#include "dspu/classify.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace dspu::app {

namespace {

// The kinds that --retry-on knows.
// clang-format off
constexpr std::array retryable_failures{
    transport_failure::connect, transport_failure::reset,
    transport_failure::timeout, transport_failure::connect_timeout, transport_failure::first_byte_timeout, transport_failure::stalled,
    transport_failure::dns, transport_failure::dns_temporary,
    transport_failure::tls, transport_failure::protocol, transport_failure::proxy};
// clang-format on

std::size_t bit(transport_failure failure) { return static_cast<std::size_t>(failure); }

void add_entry(retry_rules& rules, std::string_view entry) {
  for (const transport_failure failure : retryable_failures) {
    if (to_string(failure) == entry) {
      rules.failures.set(bit(failure));
      if (failure == transport_failure::dns) rules.failures.set(bit(transport_failure::dns_temporary));
      if (failure == transport_failure::timeout)
        for (const transport_failure any : retryable_failures)
          if (is_timeout(any)) rules.failures.set(bit(any));
      return;
    }
  }
  unsigned status = 0;
  const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), status);
  const bool whole = error == std::errc{} && end == entry.data() + entry.size();
  if (!whole || status < 400 || status > 599) {
    throw std::invalid_argument(
        "'" + std::string(entry) +
        "' is neither a status from 400 to 599 nor one of connect, reset, timeout, connect_timeout, "
        "first_byte_timeout, stalled, dns_temporary, dns, tls, protocol, proxy (or none, alone)");
  }
  rules.statuses.set(status);
}

}  // namespace

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(methods, method) != methods.end();
}

bool is_failure(unsigned status) { return status >= 500 || status == 408 || status == 429; }

retry_rules parse_retry_on(std::string_view text) {
  retry_rules rules;
  if (text == "none") return rules;
  while (true) {
    const std::size_t comma = text.find(',');
    add_entry(rules, text.substr(0, comma));
    if (comma == std::string_view::npos) return rules;
    text.remove_prefix(comma + 1);
  }
}

load_refusal refusal_of(const attempt_result& result) {
  const bool quota_is_used_up = result.quota && result.quota->remaining < 1;
  switch (result.status()) {
    case 429:
      return load_refusal::sure;
    case 503:
      return result.retry_after ? load_refusal::sure : load_refusal::unsure;
    case 403:
      return result.retry_after || quota_is_used_up ? load_refusal::sure : load_refusal::none;
    default:
      return load_refusal::none;
  }
}

std::optional<core::duration> wait_asked_by(const attempt_result& result) {
  const bool quota_is_used_up = result.quota && result.quota->remaining < 1;
  const auto until_renewed = quota_is_used_up ? result.quota->reset : std::nullopt;
  return std::max(result.retry_after, until_renewed);  // nothing is less than anything
}

bool may_retry(const retry_rules& rules, const http_request& request, const attempt_result& result) {
  const load_refusal refused = refusal_of(result);
  const bool wanted = (result.failure && rules.failures.test(bit(*result.failure))) || rules.lists(result.status()) ||
                      (refused == load_refusal::sure && rules.lists(429));
  if (!wanted) return false;
  return rules.unsafe || is_idempotent(request.method) || refused == load_refusal::sure ||
         (result.failure && !result.reached.sent) ||
         !find_header(request.headers, "Idempotency-Key").empty();
}

core::verdict origin_verdict(const attempt_result& result) {
  if (result.failure) {
    switch (*result.failure) {
      case transport_failure::body_too_large:
      case transport_failure::sink:
      case transport_failure::unsendable:
      case transport_failure::wrong_part:
      case transport_failure::proxy:
        return core::verdict::ignored;
      default:
        return core::verdict::failure;
    }
  }
  if (refusal_of(result) == load_refusal::sure) return core::verdict::ignored;
  return is_failure(result.response.status) ? core::verdict::failure : core::verdict::success;
}

load_sign load_sign_of(const attempt_result& result) {
  if (result.failure) return is_timeout(*result.failure) ? load_sign::dropped : load_sign::none;
  switch (result.response.status) {
    case 429:
    case 503:
    case 504:
      return load_sign::dropped;
    default:
      return is_failure(result.response.status) ? load_sign::none : load_sign::latency;
  }
}

bool may_hold_origin(const retry_rules& rules, const attempt_result& result) {
  return result.answered() &&
         (refusal_of(result) != load_refusal::none || rules.lists(result.response.status));
}

outcome final_outcome(const attempt_result& result) {
  if (!result.failure) return result.response.status < 400 ? outcome::ok : outcome::http_error;
  switch (*result.failure) {
    case transport_failure::dns:
    case transport_failure::dns_temporary:
      return outcome::dns;
    case transport_failure::tls:
      return outcome::tls;
    case transport_failure::timeout:
      return outcome::timeout;
    case transport_failure::connect_timeout:
      return outcome::connect_timeout;
    case transport_failure::first_byte_timeout:
      return outcome::first_byte_timeout;
    case transport_failure::stalled:
      return outcome::stalled;
    case transport_failure::connect:
      return outcome::connect;
    case transport_failure::proxy:
      return outcome::proxy;
    case transport_failure::reset:
      return outcome::reset;
    case transport_failure::protocol:
      return outcome::protocol;
    case transport_failure::body_too_large:
      return outcome::body_too_large;
    case transport_failure::unsendable:
      return outcome::invalid_input;
    case transport_failure::wrong_part:  // is asked for anew
    case transport_failure::sink:        // ends the run
      return outcome::http_error;
  }
  return outcome::http_error;
}

}  // namespace dspu::app
