// One HTTP exchange, seen from the engine: a request goes out, a response or a transport_error comes back.
//
// The engine owns every policy (limits, retries, breakers, redirects, deadlines); a transport only talks.
// The real one (http_client.hpp) keeps connections alive; tests use one that lives in memory and virtual time.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dspu::app {

using header_list = std::vector<std::pair<std::string, std::string>>;

// The first value of `name`, compared without case; empty if absent.
std::string_view find_header(const header_list& headers, std::string_view name);

struct http_request {
  std::string method = "GET";
  std::string url;
  header_list headers;
  std::string body;
};

struct http_response {
  unsigned status = 0;
  header_list headers;
  std::uint64_t body_bytes = 0;  // after inflation
  bool reused_connection = false;
};

enum class transport_failure { dns, connect, tls, reset, timeout, protocol, body_too_large, sink };

std::string_view to_string(transport_failure kind);

class transport_error : public std::runtime_error {
 public:
  transport_error(transport_failure kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  transport_failure kind() const { return kind_; }

 private:
  transport_failure kind_;
};

// Receives one response's body piece by piece, as it comes from the wire and is inflated.
class body_sink {
 public:
  virtual ~body_sink() = default;
  // A response has begun; whatever an earlier attempt wrote is void.
  virtual void begin(const http_response& head) = 0;
  // Throws if the bytes cannot be kept; the exchange then ends in transport_failure::sink.
  virtual void write(std::span<const char> bytes) = 0;
};

class transport {
 public:
  virtual ~transport() = default;
  // Performs one exchange with the origin of `request.url`; follows no redirect.
  // Throws: transport_error. On cancel: system_error(operation_aborted), the connection is closed.
  virtual boost::asio::awaitable<http_response> exchange(const http_request& request, body_sink& sink) = 0;
};

}  // namespace dspu::app
