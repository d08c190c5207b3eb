// A byte stream to a peer: TCP, or TLS on top of it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <optional>

namespace dspu::app {

// Thread-safety: none; lives on the executor's one thread. Every operation cancels with the awaiting
// coroutine.
class wire_stream {
 public:
  using tcp = boost::asio::ip::tcp;
  using tls_stream = boost::asio::ssl::stream<tcp::socket&>;

  explicit wire_stream(const boost::asio::any_io_executor& executor) : socket_(executor) {}
  explicit wire_stream(tcp::socket socket) : socket_(std::move(socket)) {}

  tcp::socket& socket() { return socket_; }

  // What is read and written from now on goes through the returned TLS session; its handshake is the
  // caller's.
  tls_stream& start_tls(boost::asio::ssl::context& context) { return tls_.emplace(socket_, context); }

  // Sends small writes at once and never blocks. Requires: the socket is open.
  void tune();

  // Suspends: until at least one byte is there. Returns 0 with `ec` at the end of the stream and on errors.
  boost::asio::awaitable<std::size_t> read_some(boost::asio::mutable_buffer into,
                                                boost::system::error_code& ec);

  // Writes what the socket takes at once of `head` and then of `body`, which over TCP is nearly always all: that saves a
  // coroutine and a trip through the event loop. Over TLS, nothing. Leaves in them what is still to be written; returns
  // how many bytes were.
  std::size_t write_now(boost::asio::const_buffer& head, boost::asio::const_buffer& body,
                        boost::system::error_code& ec);

  // Writes some of `head` and then of `body`: over TLS, a record. Leaves in them what is still to be written;
  // returns how many bytes were.
  boost::asio::awaitable<std::size_t> write_some(boost::asio::const_buffer& head,
                                                 boost::asio::const_buffer& body,
                                                 boost::system::error_code& ec);
  // Writes all of it.
  boost::asio::awaitable<void> write(boost::asio::const_buffer bytes, boost::system::error_code& ec);

  // Whether an idle stream can carry another exchange: open, and nothing has come in, not even its end or a
  // TLS alert that was read along with the last answer.
  bool quiet();

  void close();
  // Closes such that the peer sees a reset.
  void reset();

 private:
  tcp::socket socket_;
  std::optional<tls_stream> tls_;
};

}  // namespace dspu::app
