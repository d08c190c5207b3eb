#include "dspu/proxy_tunnel.hpp"

#include "dspu/response_reader.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace dspu::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

asio::awaitable<tunnel_answer> request_tunnel(wire_stream& stream, std::string target,
                                              std::string authorization) {
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!authorization.empty()) request += "Proxy-Authorization: " + authorization + "\r\n";
  request += "\r\n";

  tunnel_answer answer;
  co_await stream.write(asio::buffer(request), asio::const_buffer(), answer.error);
  if (answer.error) co_return answer;

  http::response_parser<http::empty_body> parser;
  parser.skip(true);  // neither a refusal's page nor the tunnel's bytes are ours to read
  parser.header_limit(static_cast<std::uint32_t>(max_header_size));
  boost::beast::flat_buffer buffer;
  std::size_t total = 0;
  while (!parser.is_header_done()) {
    const std::size_t read = co_await stream.read_some(buffer.prepare(1024), answer.error);
    if (answer.error) co_return answer;
    buffer.commit(read);
    total += read;
    error_code ec;
    buffer.consume(parser.put(buffer.data(), ec));
    if (ec == http::error::need_more) ec = {};
    if (!ec && total > max_header_size) ec = http::error::header_limit;
    if (ec) {
      answer.malformed = ec.message();
      co_return answer;
    }
  }
  answer.status = parser.get().result_int();
  answer.reason = std::string(parser.get().reason());
  if (answer.status / 100 == 2 && buffer.size() > 0)
    answer.malformed = "bytes follow it before anything was sent";
  co_return answer;
}

}  // namespace dspu::app
