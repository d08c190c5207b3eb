#include "faults/recording_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>

#include <sstream>
#include <utility>

namespace dspu::faults {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// The value of a header field, or nothing.
std::string field(const std::string& head, const std::string& name) {
  std::istringstream in(head);
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || !boost::beast::iequals(line.substr(0, colon), name)) continue;
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    value.erase(value.find_last_not_of("\r ") + 1);
    return value;
  }
  return {};
}

}  // namespace

recording_server::recording_server(std::string headers)
    : headers_(std::move(headers)), acceptor_(loop_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  asio::co_spawn(loop_, listen(), asio::detached);
  thread_ = std::jthread([this] { loop_.run(); });
}

recording_server::~recording_server() { loop_.stop(); }

std::string recording_server::address() const {
  return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
}

std::multiset<std::string> recording_server::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

asio::awaitable<void> recording_server::listen() {
  while (true) {
    auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
    asio::co_spawn(loop_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> recording_server::serve(tcp::socket socket) {
  std::string input;
  try {
    while (true) {
      auto buffer = asio::dynamic_buffer(input);
      const std::size_t size =
          co_await asio::async_read_until(socket, buffer, "\r\n\r\n", asio::use_awaitable);
      const std::string head = input.substr(0, size);
      input.erase(0, size);
      const std::string length = field(head, "Content-Length");
      const std::size_t body_size = length.empty() ? 0 : std::stoul(length);
      if (input.size() < body_size) {
        auto rest = asio::dynamic_buffer(input);
        const auto missing = asio::transfer_exactly(body_size - input.size());
        co_await asio::async_read(socket, rest, missing, asio::use_awaitable);
      }
      std::istringstream first(head);
      std::string method;
      std::string path;
      first >> method >> path;
      std::string text = method + " " + path + remembered_headers(head);
      text += " " + input.substr(0, body_size);
      input.erase(0, body_size);
      const std::string answer = answer_to(method, path);
      {
        const std::lock_guard lock(mutex_);
        requests_.insert(std::move(text));
      }
      co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // the client has left
  }
}

std::string recording_server::remembered_headers(const std::string& head) const {
  std::string text;
  std::istringstream names(headers_);
  for (std::string name; std::getline(names, name, ',');)
    text += " [" + name + ": " + field(head, name) + "]";
  return text;
}

std::string recording_server::answer_to(const std::string& method, const std::string& path) {
  std::string status = "200 OK";
  std::string more;
  if (path == "/flaky" && !std::exchange(was_flaky_, true)) status = "503 Service Unavailable";
  if (path == "/redirect") {
    status = "302 Found";
    more = "Location: /a\r\n";
  }
  return "HTTP/1.1 " + status + "\r\n" + more + "Content-Length: " + std::to_string(path.size()) +
         "\r\n\r\n" + (method == "HEAD" ? "" : path);
}

}  // namespace dspu::faults
