// The CONNECT exchange with a proxy.
#pragma once

#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <string>

namespace dspu::app {

struct tunnel_answer {
  unsigned status = 0;
  std::string reason;
  boost::system::error_code error;  // the connection failed
  std::string malformed;            // what is wrong with the answer, if anything
};

// Asks the proxy at the other end of `stream` for a tunnel to `target` ("host:port").
// A client speaks first in TLS, so bytes behind the header of the answer are an error.
boost::asio::awaitable<tunnel_answer> request_tunnel(wire_stream& stream, std::string target,
                                                     std::string authorization);

}  // namespace dspu::app
