// What one exchange of an attempt came to, as the attempt's pipeline sees it.
#pragma once

#include "dspu/body_store.hpp"
#include "dspu/classify.hpp"
#include "dspu/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace dspu::app {

// To policies it is a value if the origin answered well, else an error. Errors of the transport are values,
// too: they are no exceptions where a tenth of all attempts may fail.
struct answer {
  http_response response{};
  std::unique_ptr<kept_body> body{};
  std::optional<transport_failure> failure = std::nullopt;
  std::string what_failed{};
  exchange_progress reached{};  // if it failed
  std::int64_t hedge = 0;  // which exchange of the attempt; 0 is the attempt itself
  bool sent = true;        // else it is a hedge that was not allowed to go
  bool alone = true;       // nothing else of the attempt was out when it ended

  bool has_value() const { return sent && !failure && !is_failure(response.status); }
  const std::string& error() const { return what_failed; }
};

// For the hedge. A failure of the first exchange is for the retry to see, and not for another to mend at
// once; but while another is out, that may be the better one.
inline core::verdict hedge_verdict(const answer& a) {
  if (a.has_value()) return core::verdict::success;
  return a.hedge == 0 && a.alone ? core::verdict::ignored : core::verdict::failure;
}

}  // namespace dspu::app
