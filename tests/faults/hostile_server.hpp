// A server on a thread of its own that breaks HTTP in the way it is told, until it is told to stop.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <string>
#include <thread>

namespace dspu::faults {

enum class fault {
  none,
  reset_in_header,    // a reset after half a header
  reset_in_body,      // a reset after half a body
  truncated_body,     // an ordinary end after half a body
  endless_body,       // a chunked body that never ends, as fast as it is read
  endless_header,     // the same with header lines
  silence,            // nothing at all
  silence_in_body,    // half a body, then nothing
  longer_than_said,   // more bytes than Content-Length announces
  two_lengths,        // two different Content-Lengths
  no_http,            // the greeting of another protocol
  control_characters, // a redirect and a reason that give a terminal orders
  too_many,           // 429 without a word about when to come back
  too_many_for_days,  // 429 with a Retry-After of ten days
};

// Requests for a path that ends in an odd digit get the fault, the others a good answer: their path, as text.
class hostile_server {
 public:
  hostile_server();
  hostile_server(const hostile_server&) = delete;
  ~hostile_server();

  void misbehave(fault how) { fault_ = how; }
  std::string url(const std::string& path) const;
  int requests() const { return requests_; }

 private:
  boost::asio::awaitable<void> listen();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  // Whether the connection can carry another request.
  boost::asio::awaitable<bool> answer(boost::asio::ip::tcp::socket& socket, const std::string& path);
  boost::asio::awaitable<void> break_off(boost::asio::ip::tcp::socket& socket, fault how);

  boost::asio::io_context loop_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<fault> fault_ = fault::none;
  std::atomic<int> requests_ = 0;
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace dspu::faults
