// The sending half of a connection of the unreliable server: answers as they should be, and in every wrong
// way.
#pragma once

#include "dspu/serve_answer.hpp"
#include "dspu/serve_shared.hpp"
#include "dspu/trouble.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

struct answer_framing {
  bool with_body = true;
  bool last = false;        // the connection ends with it
  bool says_close = false;  // and the answer says so
};

// Thread-safety: none. Requires: stream and shared outlive it.
class serve_sender {
 public:
  serve_sender(wire_stream& stream, serve_shared& shared);

  // These return whether the connection can go on.
  boost::asio::awaitable<bool> send(const serve_answer& answer, answer_kind kind, answer_framing how);
  boost::asio::awaitable<bool> wait(std::chrono::nanoseconds duration);

  // Whatever it is doing ends.
  void close();
  bool closed() const { return closed_; }

 private:
  void start_head(const serve_answer& answer, const answer_framing& how, const std::string& length);
  boost::asio::awaitable<bool> send_body(const serve_answer& answer, std::uint64_t length);
  boost::asio::awaitable<bool> drip_body(const serve_answer& answer);
  boost::asio::awaitable<bool> send_endless_body();
  boost::asio::awaitable<bool> write(std::string_view bytes);

  wire_stream& stream_;
  serve_shared& shared_;
  boost::asio::steady_timer timer_;
  std::string out_;
  bool closed_ = false;
};

}  // namespace dspu::app
