// An HTTP server that goes wrong to order: for tests, demonstrations, and to try one's client against.
//
//   asio::io_context loop;
//   unreliable_server server(loop.get_executor(), {.failure_rate = 0.1, .latency = {.p50 = 20ms}});
//   // requests to server.url() + "/anything"
//   server.stop();   // the loop can end
#pragma once

#include "dspu/serve_options.hpp"
#include "dspu/serve_statistics.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace dspu::app {

// Thread-safety: all of it runs on the executor, which must be one thread's or a strand; the members below
// may be called on any thread.
class unreliable_server {
 public:
  // Listens when this returns.
  // Throws: std::invalid_argument for options out of range; std::runtime_error if it cannot listen or read
  // its certificate, naming what it tried.
  unreliable_server(boost::asio::any_io_executor executor, const serve_options& options);
  // As stop().
  ~unreliable_server();
  unreliable_server(const unreliable_server&) = delete;
  unreliable_server& operator=(const unreliable_server&) = delete;

  std::uint16_t port() const;
  // "http://127.0.0.1:8080"
  std::string url() const;

  serve_statistics statistics() const;

  // Closes the listener and every connection, soon: on the executor. More than once is fine.
  void stop();

 private:
  class listener;
  std::shared_ptr<listener> listener_;
};

}  // namespace dspu::app
