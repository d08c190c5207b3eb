// One HTTP exchange, seen from the engine: a request goes out, a response or a transport_error comes back.
//
// The engine owns every policy (limits, retries, breakers, redirects, deadlines); a transport only talks.
// The real one (http_client.hpp) keeps connections alive; tests use one that lives in memory and virtual time.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
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
  std::string content_encoding;  // what the body is still encoded with, as "gzip, br"; empty for nothing
  bool reused_connection = false;
};

enum class transport_failure {
  dns,            // the name has no address
  dns_temporary,  // it could not be looked up just now
  connect,        // no TCP connection to the origin, or none through its proxy
  proxy,          // the proxy cannot be used, or refuses what it is asked for
  tls,
  reset,               // the connection ended before the answer did
  timeout,             // the attempt took too long in all
  connect_timeout,     // the connection did not stand in time
  first_byte_timeout,  // the answer did not begin in time
  stalled,             // nothing went out or came in for too long, or too little
  protocol,            // what came is not HTTP, or cannot be read safely
  body_too_large,
  wrong_part,  // not the rest of the body that was asked for
  sink,
  unsendable,  // the request has what HTTP does not allow: nothing was sent
};
inline constexpr std::size_t transport_failure_count = 15;

std::string_view to_string(transport_failure kind);
// Whether a limit of time ended it.
bool is_timeout(transport_failure kind);

// How far an exchange had come when it failed.
struct exchange_progress {
  bool sent = true;         // some of the request may have reached the server, so that it may have been carried out
  unsigned status = 0;      // of the answer that had begun; 0 if none had
  std::uint64_t bytes = 0;  // of its body, after inflation
};

class transport_error : public std::runtime_error {
 public:
  transport_error(transport_failure kind, const std::string& what);
  transport_failure kind() const { return kind_; }
  // Unless it is told otherwise: nothing was sent where the failure is one to reach the server.
  const exchange_progress& progress() const { return progress_; }
  void set_progress(const exchange_progress& progress) { progress_ = progress; }

 private:
  transport_failure kind_;
  exchange_progress progress_;
};

// Receives one response's body piece by piece, as it comes from the wire and is inflated.
class body_sink {
 public:
  virtual ~body_sink() = default;
  // A response has begun; whatever an earlier attempt wrote is void, unless this goes on with it.
  // Throws: transport_error (wrong_part) if it does not, but should; the exchange then ends in it.
  virtual void begin(const http_response& head) = 0;
  // Throws if the bytes cannot be kept; the exchange then ends in transport_failure::sink.
  virtual void write(std::span<const char> bytes) = 0;
};

class transport {
 public:
  virtual ~transport() = default;
  // Performs one exchange with the origin of `request.url`; follows no redirect. Its answer must begin within
  // `answer_within`: else it ends in first_byte_timeout.
  // Throws: transport_error. On cancel: system_error(operation_aborted), the connection is closed.
  virtual boost::asio::awaitable<http_response> exchange(
      const http_request& request, body_sink& sink,
      std::chrono::nanoseconds answer_within = std::chrono::nanoseconds::max()) = 0;
};

}  // namespace dspu::app
