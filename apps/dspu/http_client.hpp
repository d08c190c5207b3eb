// The transport that talks: HTTP/1.1 over TCP and TLS, with kept-alive connections.
//
//   asio::io_context loop;
//   http_client client(loop.get_executor(), {.connect_timeout = 2s});
//   // in a coroutine on `loop`:
//   const http_response response = co_await client.exchange({.url = "https://example.com/"}, sink);
//
// Thread-safety: none: everything, also construction's counterpart close(), happens on the one thread that
// runs the executor. Any number of exchanges may run at the same time.
#pragma once

#include "dspu/address_rules.hpp"
#include "dspu/name_resolver.hpp"
#include "dspu/transfer_pace.hpp"
#include "dspu/transport.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace dspu::app {

struct http_client_options {
  // Name lookup, TCP, the proxy's tunnel and the TLS handshake together. More than 0.
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  // Of an exchange on the connection; by default none.
  transfer_limits limits{};
  // Accept any certificate for any host.
  bool insecure = false;
  // PEM file of the certificates to trust instead of the system's; empty: the system's.
  std::string cacert;
  // Proxy URL; empty: none; not set: as http_proxy, https_proxy, all_proxy and no_proxy say.
  std::optional<std::string> proxy;
  // Which addresses are connected to, and which hosts have them.
  address_rules addresses{};
  // Bytes that a response's body may have after inflation; more fails with body_too_large.
  std::uint64_t max_body = std::numeric_limits<std::uint64_t>::max();
  // Use connections for more than one request; else each is sent with Connection: close.
  bool keep_alive = true;
  // Idle connections kept for an origin, and in all: each is a file descriptor.
  std::size_t max_idle_per_origin = 64;
  std::size_t max_idle = 256;
  // Connections in all, those that are out among them: one that idles is closed before another is opened.
  // What is out is bounded by who asks.
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  // How long a connection may idle before it is closed instead of used: below what servers usually allow.
  std::chrono::nanoseconds idle_lifetime = std::chrono::seconds(55);
  std::string user_agent = "dspu/0.1.0";
  // Where addresses come from; blocks, and is called on threads of its own. Tests pass their own.
  name_resolver::lookup lookup = look_up;
};

// What goes out besides the request's own headers, unless it has them: Host, User-Agent, Accept,
// Accept-Encoding: gzip, Content-Length. The body of a response to our
// own Accept-Encoding is inflated; whoever sets Accept-Encoding gets the bytes as they were sent. Headers of
// the response stay as they were sent in either case.
//
// A kept-alive connection that the server closed while it idled is noticed before or during the next request;
// the request is then sent once more on a fresh connection if it is idempotent (by its method or by an
// Idempotency-Key header) or nothing of it was written. Otherwise it fails with transport_failure::reset, its
// outcome unknown. Such requests therefore get a fresh connection unless the server is known to keep them
// (connection_pool.hpp).
class http_client final : public transport {
 public:
  // Throws: std::invalid_argument for options, a proxy or certificates that cannot be used.
  http_client(boost::asio::any_io_executor executor, http_client_options options);
  ~http_client() override;

  boost::asio::awaitable<http_response> exchange(
      const http_request& request, body_sink& sink,
      std::chrono::nanoseconds answer_within = std::chrono::nanoseconds::max()) override;

  // Closes the idle connections; exchanges that run are not touched.
  void close();
  std::size_t idle_connections() const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace dspu::app
