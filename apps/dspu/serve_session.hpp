// One connection of the unreliable server.
#pragma once

#include "dspu/core/token_bucket.hpp"
#include "dspu/request_reader.hpp"
#include "dspu/serve_answer.hpp"
#include "dspu/serve_options.hpp"
#include "dspu/serve_statistics.hpp"
#include "dspu/trouble.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace dspu::app {

// What all connections of a server share.
struct serve_shared {
  using clock = std::chrono::steady_clock;

  explicit serve_shared(const serve_options& o);

  serve_options options;
  trouble dice;
  serve_recorder record;
  clock::time_point start = clock::now();
  std::optional<boost::asio::ssl::context> tls;
  std::optional<core::token_bucket> limit;
  core::token_bucket::level level = 0;
};

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
  boost::asio::awaitable<bool> send(const serve_answer& answer, answer_kind kind);
  boost::asio::awaitable<bool> send_body(const serve_answer& answer, std::uint64_t length);
  boost::asio::awaitable<bool> drip_body(const serve_answer& answer);
  boost::asio::awaitable<bool> send_endless_body();
  boost::asio::awaitable<bool> write(std::string_view bytes);
  boost::asio::awaitable<bool> wait(std::chrono::nanoseconds duration);
  boost::asio::awaitable<bool> wait_for_peer_to_leave();

  serve_answer limited_answer(serve_shared::clock::time_point now) const;
  bool takes_from_limit(serve_shared::clock::time_point now);
  void start_head(const serve_answer& answer, const std::string& framing);
  bool last_request() const;
  bool sends_body(const serve_answer& answer) const { return answer.has_body() && request_.method != "HEAD"; }

  std::shared_ptr<serve_shared> shared_;
  wire_stream stream_;
  boost::asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  incoming_request request_;
  std::string out_;
  std::uint64_t served_ = 0;
  bool peer_stays_ = false;  // the request's own keep-alive
  bool closed_ = false;
};

}  // namespace dspu::app
