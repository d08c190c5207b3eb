// An endpoint that a Prometheus scrapes: GET /metrics, on loopback only.
//
//   metrics_server server(loop.get_executor(), parse_loopback("127.0.0.1:9090"), [&] { return text(); });
//   // curl http://127.0.0.1:9090/metrics
//   server.stop();   // the loop can end
//
// It lives on the loop of what it tells of, so that nobody needs a lock; a scrape is one page, composed when
// it is asked for. A request whose Host is not localhost or a loopback address is refused (403): a web page
// could make a browser send it. Thread-safety: none.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace dspu::app {

// "127.0.0.1:9090", "[::1]:9090" or "localhost:9090"; port 0 lets the system choose one.
// Throws: std::invalid_argument, also for an address that others than this machine could reach.
boost::asio::ip::tcp::endpoint parse_loopback(std::string_view text);

class metrics_server {
 public:
  // Listens when this returns. `page` is called for each scrape, until stop(); what it throws is answered
  // with 500. Throws: std::runtime_error if it cannot listen there.
  metrics_server(const boost::asio::any_io_executor& executor, const boost::asio::ip::tcp::endpoint& at,
                 std::function<std::string()> page);
  // As stop().
  ~metrics_server();
  metrics_server(const metrics_server&) = delete;
  metrics_server& operator=(const metrics_server&) = delete;

  // "http://127.0.0.1:9090/metrics"
  std::string url() const;
  void stop();

 private:
  class listener;
  std::shared_ptr<listener> listener_;
};

}  // namespace dspu::app
