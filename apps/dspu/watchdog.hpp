// Closes a socket at a deadline, and tells that from every other end.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>

namespace dspu::app {

// Whatever operation runs on the socket at the deadline ends in operation_aborted, and expired() is true.
// Thread-safety: none; lives on the socket's thread.
class watchdog {
 public:
  using clock = std::chrono::steady_clock;

  // Requires: `socket` outlives the watchdog.
  explicit watchdog(boost::asio::ip::tcp::socket& socket);
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  // Replaces the deadline; a deadline that has passed is forgotten.
  void set(clock::time_point deadline);
  bool expired() const;

 private:
  struct state;
  std::shared_ptr<state> state_;  // outlives us in a timer handler that is already on its way
};

}  // namespace dspu::app
