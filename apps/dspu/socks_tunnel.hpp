// The exchange with a SOCKS5 proxy that makes a tunnel of a connection (RFC 1928, RFC 1929).
#pragma once

#include "dspu/proxy.hpp"
#include "dspu/transport.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace dspu::app {

struct socks_target {
  std::string host;
  std::uint16_t port = 0;
  std::optional<boost::asio::ip::address> address{};  // instead of the host, which the proxy would look up
};

struct socks_answer {
  std::optional<transport_failure>
      refusal;  // connect where another time may be better, else proxy or protocol
  std::string reason;
  boost::system::error_code error;  // the connection failed
};

// Asks the proxy at the other end of `stream` for a tunnel. On success all that follows is the target's.
boost::asio::awaitable<socks_answer> request_socks_tunnel(wire_stream& stream, socks_target target,
                                                          std::string user, std::string password);

}  // namespace dspu::app
