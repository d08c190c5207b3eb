#include "faults/hostile_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <string_view>

namespace dspu::faults {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

asio::awaitable<void> send(tcp::socket& socket, std::string_view text) {
  co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
}

asio::awaitable<void> send_for_ever(tcp::socket& socket, std::string_view first, std::string_view again) {
  co_await send(socket, first);
  while (true) co_await send(socket, again);
}

// Says nothing more; ends, by an error of the socket, when the client leaves.
asio::awaitable<void> stay_silent(tcp::socket& socket) {
  char byte = 0;
  while (true) co_await socket.async_read_some(asio::buffer(&byte, 1), asio::use_awaitable);
}

void reset(tcp::socket& socket) {
  socket.set_option(tcp::socket::linger(true, 0));
  socket.close();
}

std::string good(const std::string& path) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path;
}

constexpr std::string_view half_a_header = "HTTP/1.1 200 OK\r\nContent-Le";
constexpr std::string_view half_a_body = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
const std::string lines = "X-More: " + std::string(2000, 'x') + "\r\n";

}  // namespace

hostile_server::hostile_server() : acceptor_(loop_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  asio::co_spawn(loop_, listen(), asio::detached);
  thread_ = std::jthread([this] { loop_.run(); });
}

hostile_server::~hostile_server() { loop_.stop(); }

std::string hostile_server::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + path;
}

asio::awaitable<void> hostile_server::listen() {
  while (true) {
    auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
    // Whatever ends a connection, the others go on.
    asio::co_spawn(loop_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> hostile_server::serve(tcp::socket socket) {
  std::string input;
  try {
    bool goes_on = true;
    while (goes_on) {
      auto buffer = asio::dynamic_buffer(input);
      const std::size_t size =
          co_await asio::async_read_until(socket, buffer, "\r\n\r\n", asio::use_awaitable);
      const std::size_t begin = input.find(' ') + 1;
      const std::string path = input.substr(begin, input.find(' ', begin) - begin);
      input.erase(0, size);
      ++requests_;
      goes_on = co_await answer(socket, path);
    }
  } catch (const boost::system::system_error&) {  // the client has left
  }
}

asio::awaitable<bool> hostile_server::answer(tcp::socket& socket, const std::string& path) {
  const fault how = fault_;
  const bool meant = (path.back() - '0') % 2 == 1;
  if (how == fault::none || !meant) {
    const std::string text = good(path);
    co_await send(socket, text);
    co_return true;
  }
  if (how == fault::longer_than_said) {
    const std::string text = good(path) + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
    co_await send(socket, text);
    co_return true;
  }
  co_await break_off(socket, how);
  co_return false;
}

asio::awaitable<void> hostile_server::break_off(tcp::socket& socket, fault how) {
  switch (how) {
    case fault::none:
    case fault::longer_than_said:
      break;
    case fault::reset_in_header:
      co_await send(socket, half_a_header);
      reset(socket);
      break;
    case fault::reset_in_body:
      co_await send(socket, half_a_body);
      reset(socket);
      break;
    case fault::truncated_body:
      co_await send(socket, half_a_body);
      break;
    case fault::endless_body:
      co_await send_for_ever(socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk);
      break;
    case fault::endless_header:
      co_await send_for_ever(socket, "HTTP/1.1 200 OK\r\n", lines);
      break;
    case fault::silence:
      co_await stay_silent(socket);
      break;
    case fault::silence_in_body:
      co_await send(socket, half_a_body);
      co_await stay_silent(socket);
      break;
    case fault::two_lengths:
      co_await send(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nokay");
      break;
    case fault::no_http:
      co_await send(socket, "SSH-2.0-OpenSSH_9.2\r\n");
      break;
    case fault::control_characters:
      co_await send(socket,
                    "HTTP/1.1 302 \xc2\x9b" "31mFound\x1b[35m\r\nLocation: ftp://h/\xc2\x9b" "31m\x9b" "31m\r\n"
                    "Content-Length: 2\r\nConnection: close\r\n\r\n\xc2\x9b");
      break;
    case fault::too_many:
      co_await send(socket,
                    "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      break;
    case fault::too_many_for_days:
      co_await send(socket,
                    "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n"
                    "Retry-After: 864000\r\n\r\n");
      break;
  }
}

}  // namespace dspu::faults
