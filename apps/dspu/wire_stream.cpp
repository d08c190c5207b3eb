#include "dspu/wire_stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace dspu::app {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

void take_written(asio::const_buffer& head, asio::const_buffer& body, std::size_t written) {
  body += written - std::min(written, head.size());
  head += written;
}

}  // namespace

void wire_stream::tune() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

// No coroutine of its own: the operations are coroutines already.
asio::awaitable<std::size_t> wire_stream::read_some(asio::mutable_buffer into, error_code& ec) {
  ec = {};
  if (tls_) return tls_->async_read_some(into, asio::redirect_error(asio::use_awaitable, ec));
  return socket_.async_read_some(into, asio::redirect_error(asio::use_awaitable, ec));
}

std::size_t wire_stream::write_now(asio::const_buffer& head, asio::const_buffer& body, error_code& ec) {
  ec = {};
  if (tls_) return 0;
  const std::size_t written = socket_.write_some(std::array{head, body}, ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) ec = {};
  take_written(head, body, written);
  return written;
}

asio::awaitable<std::size_t> wire_stream::write_some(asio::const_buffer& head, asio::const_buffer& body,
                                                     error_code& ec) {
  ec = {};
  std::size_t written = 0;
  if (tls_) {
    const asio::const_buffer next = head.size() > 0 ? head : body;
    written = co_await tls_->async_write_some(next, asio::redirect_error(asio::use_awaitable, ec));
  } else {
    const std::array rest{head, body};
    written = co_await socket_.async_write_some(rest, asio::redirect_error(asio::use_awaitable, ec));
  }
  take_written(head, body, written);
  co_return written;
}

asio::awaitable<void> wire_stream::write(asio::const_buffer bytes, error_code& ec) {
  ec = {};
  asio::const_buffer nothing;
  while (bytes.size() > 0 && !ec) co_await write_some(bytes, nothing, ec);
}

bool wire_stream::quiet() {
  if (!socket_.is_open()) return false;
  if (tls_) {
    SSL* session = tls_->native_handle();
    if (SSL_has_pending(session) == 1 || BIO_pending(SSL_get_rbio(session)) > 0) return false;
  }
  char byte = 0;
  const auto received = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void wire_stream::close() {
  error_code ignored;
  socket_.close(ignored);
}

void wire_stream::reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

}  // namespace dspu::app
