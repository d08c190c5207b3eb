// A server on a thread of its own that remembers what it was asked for.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace dspu::faults {

// Every path is answered with itself as text, but for /redirect, which leads to /a, and /flaky, which is answered with
// 503 the first time.
class recording_server {
 public:
  // `headers`: names of header fields to remember, each followed by a comma.
  explicit recording_server(std::string headers);
  ~recording_server();
  recording_server(const recording_server&) = delete;
  recording_server& operator=(const recording_server&) = delete;

  // "127.0.0.1:12345"
  std::string address() const;
  // "POST /a [Content-Type: text/plain] body"
  std::multiset<std::string> requests() const;

 private:
  boost::asio::awaitable<void> listen();
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);
  std::string answer_to(const std::string& method, const std::string& path);
  std::string remembered_headers(const std::string& head) const;

  const std::string headers_;
  boost::asio::io_context loop_{1};
  boost::asio::ip::tcp::acceptor acceptor_;
  mutable std::mutex mutex_;
  std::multiset<std::string> requests_;
  bool was_flaky_ = false;
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace dspu::faults
