// One connection of the unreliable server.
#pragma once

#include "dspu/request_reader.hpp"
#include "dspu/serve_answer.hpp"
#include "dspu/serve_sender.hpp"
#include "dspu/serve_shared.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace dspu::app {

// Thread-safety: none. Runs until the peer leaves, the server has had enough of it, or close().
class serve_session {
 public:
  serve_session(boost::asio::ip::tcp::socket socket, std::shared_ptr<serve_shared> shared);
  ~serve_session();
  serve_session(const serve_session&) = delete;
  serve_session& operator=(const serve_session&) = delete;

  // `self` keeps the session alive while it runs.
  boost::asio::awaitable<void> run(std::shared_ptr<serve_session> self);
  // Instead of run(): the peer sees a reset.
  void refuse() { stream_.reset(); }
  // Whatever run() is doing ends.
  void close();

 private:
  boost::asio::awaitable<bool> handshake();
  boost::asio::awaitable<bool> read_request();
  // These return whether the connection can go on.
  boost::asio::awaitable<bool> respond(std::uint64_t n);
  boost::asio::awaitable<bool> wait_for_peer_to_leave();

  serve_answer limited_answer(serve_shared::clock::time_point now) const;
  answer_framing framing_of(const serve_answer& answer) const;

  std::shared_ptr<serve_shared> shared_;
  wire_stream stream_;
  serve_sender sender_;
  boost::beast::flat_buffer buffer_;
  incoming_request request_;
  std::uint64_t served_ = 0;
  bool peer_stays_ = false;  // the request's own keep-alive
};

}  // namespace dspu::app
