#include "dspu/proxy_tunnel.hpp"

#include "dspu/response_parser.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <string_view>

namespace dspu::app {

namespace asio = boost::asio;

asio::awaitable<tunnel_answer> request_tunnel(wire_stream& stream, std::string target,
                                              std::string authorization) {
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!authorization.empty()) request += "Proxy-Authorization: " + authorization + "\r\n";
  request += "\r\n";

  tunnel_answer answer;
  co_await stream.write(asio::buffer(request), answer.error);
  if (answer.error) co_return answer;

  response_parser parser({.body = false});  // neither a refusal's page nor the tunnel's bytes are ours to read
  boost::beast::flat_buffer buffer;
  while (!parser.has_head()) {
    const std::size_t read = co_await stream.read_some(buffer.prepare(1024), answer.error);
    if (answer.error) co_return answer;
    buffer.commit(read);
    const std::string_view received(static_cast<const char*>(buffer.data().data()), buffer.size());
    std::string_view rest = received;
    std::string_view no_body;
    try {
      parser.next(rest, no_body);
    } catch (const malformed_response& error) {
      answer.malformed = error.what();
      co_return answer;
    }
    buffer.consume(received.size() - rest.size());
  }
  answer.status = parser.status();
  answer.reason = parser.reason();
  if (answer.status / 100 == 2 && buffer.size() > 0)
    answer.malformed = "bytes follow it before anything was sent";
  co_return answer;
}

}  // namespace dspu::app
