// What the status of an HTTP response means to a circuit breaker.
//
//   .classify = [](const aio::outcome& o) {
//     const auto* response = o.get_if<my_response>();
//     return response ? core::http_verdict(response->status, response->has("Retry-After")) : aio::default_verdict(o);
//   }
//
// A breaker is for servers that are ill, not for servers that are full: a refusal for load says that the server
// works, and a client that stops altogether gets less than the server would give it. Pace is for an adaptive rate to learn.
#pragma once

#include "dspu/core/verdict.hpp"

namespace dspu::core {

// 429, and 503 with a Retry-After (a refusal for load), are ignored; other 5xx, 408 and a plain 503 are failures;
// everything else is an answer, and a success.
constexpr verdict http_verdict(unsigned status, bool has_retry_after = false) {
  if (status == 429 || (status == 503 && has_retry_after)) return verdict::ignored;
  return status >= 500 || status == 408 ? verdict::failure : verdict::success;
}

}  // namespace dspu::core
