// Opens connections: name, TCP, the proxy's tunnel, TLS, all within one connect timeout.
#pragma once

#include "dspu/address_order.hpp"
#include "dspu/address_rules.hpp"
#include "dspu/connection.hpp"
#include "dspu/name_resolver.hpp"
#include "dspu/outgoing_request.hpp"
#include "dspu/tls_context.hpp"
#include "dspu/watchdog.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dspu::app {

// Thread-safety: none; lives on the executor's one thread.
class connector {
 public:
  using clock = watchdog::clock;
  struct options {
    std::chrono::nanoseconds timeout;
    tls_options tls;
    name_resolver::lookup lookup;
    address_rules addresses{};
  };
  // Throws: std::invalid_argument if the certificates of options.tls cannot be read.
  connector(boost::asio::any_io_executor executor, options opts);

  // Suspends: until the connection can carry a request, or for the connect timeout, or until `answer_by`.
  // Throws: transport_error (dns, connect, tls, connect_timeout; proxy, reset or protocol from the proxy);
  // nothing of a request has been sent then. On cancel: system_error(operation_aborted) at once; nothing
  // stays open.
  boost::asio::awaitable<std::unique_ptr<connection>> open(
      route way, clock::time_point answer_by = clock::time_point::max());

 private:
  using deadline = clock::time_point;

  boost::asio::awaitable<std::unique_ptr<connection>> open_whole(route way, clock::time_point answer_by);
  boost::asio::awaitable<void> connect(connection& peer, const route& way, deadline until);
  boost::asio::awaitable<std::vector<boost::asio::ip::address>> look_up(const connection& peer,
                                                                        std::string host, std::uint16_t port,
                                                                        deadline until);
  boost::asio::awaitable<void> open_socks_tunnel(connection& peer, watchdog& dog, const route& way,
                                                 deadline until);
  boost::asio::awaitable<void> open_tunnel(connection& peer, watchdog& dog, const route& way);
  boost::asio::awaitable<void> handshake(connection& peer, watchdog& dog, const route& way);
  boost::asio::ssl::context& tls();
  [[noreturn]] void timed_out(const connection& peer, const std::string& stage) const;

  boost::asio::any_io_executor executor_;
  options options_;
  name_resolver resolver_;
  answered_addresses answered_;
  std::optional<boost::asio::ssl::context>
      tls_;  // the system's store takes long to load: made when first needed
};

}  // namespace dspu::app
