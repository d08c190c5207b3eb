#include "dspu/metrics_server.hpp"

#include "dspu/request_url.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dspu::app {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t most_sessions = 16;
constexpr std::chrono::milliseconds pause_after_error{100};
constexpr std::chrono::seconds patience{10};  // with a client that reads or writes slowly
constexpr std::string_view accepted = "write 127.0.0.1:PORT, [::1]:PORT or localhost:PORT";

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument("'" + std::string(text) + "' " + why + "; " + std::string(accepted));
}

http::response<http::string_body> answer(http::status status, std::string body, std::string_view type) {
  http::response<http::string_body> made(status, 11);
  made.set(http::field::server, "dspu");
  made.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  made.keep_alive(false);
  made.body() = std::move(body);
  made.prepare_payload();
  return made;
}

// A page in a browser that has a name of its own point to this machine is shown nothing.
bool names_loopback(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const std::size_t end = bracketed ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == host.npos) return false;
  const std::string name(bracketed ? host.substr(1, end - 1) : host.substr(0, end));
  error_code wrong;
  const auto address = asio::ip::make_address(name, wrong);
  return wrong ? beast::iequals(name, "localhost") : address.is_loopback();
}

bool is_meant_for_us(const http::request<http::empty_body>& request) {
  const auto [first, last] = request.equal_range(http::field::host);
  return std::all_of(first, last, [](const auto& field) {
    return names_loopback({field.value().data(), field.value().size()});
  });
}

http::response<http::string_body> answer_to(const http::request<http::empty_body>& request,
                                            const std::function<std::string()>& page) {
  constexpr std::string_view plain = "text/plain; charset=utf-8";
  if (!is_meant_for_us(request))
    return answer(http::status::forbidden, "ask for localhost or a loopback address (Host)\n", plain);
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    auto made = answer(http::status::method_not_allowed, "GET and HEAD only\n", plain);
    made.set(http::field::allow, "GET, HEAD");
    return made;
  }
  const auto target = request.target();
  if (target.substr(0, target.find('?')) != "/metrics")
    return answer(http::status::not_found, "the metrics are at /metrics\n", plain);
  try {
    return answer(http::status::ok, page(), "text/plain; version=0.0.4; charset=utf-8");
  } catch (const std::exception& error) {
    return answer(http::status::internal_server_error, std::string(error.what()) + "\n", plain);
  }
}

}  // namespace

tcp::endpoint parse_loopback(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) refuse(text, "names no port");
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size())
    refuse(text, "has no port from 0 to 65535 after its last colon");
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code wrong;
  const auto address = asio::ip::make_address(host, wrong);
  if (wrong) refuse(text, "is not an address");
  if (!address.is_loopback())
    refuse(text, "is not on loopback, and whoever can reach the page can read what this run does");
  return {address, port};
}

class metrics_server::listener : public std::enable_shared_from_this<listener> {
 public:
  listener(const asio::any_io_executor& executor, const tcp::endpoint& at, std::function<std::string()> page)
      : acceptor_(executor), pause_(executor), page_(std::move(page)) {
    error_code ec;
    acceptor_.open(at.protocol(), ec);
    if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_.bind(at, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
      throw std::runtime_error("cannot listen on " + host_and_port(at.address().to_string(), at.port()) +
                               ": " + ec.message());
    local_ = acceptor_.local_endpoint();
  }

  void start() { asio::co_spawn(acceptor_.get_executor(), accept(shared_from_this()), asio::detached); }

  void stop() {
    error_code ignored;
    page_ = nullptr;
    acceptor_.close(ignored);
    pause_.cancel();
    const auto open = std::exchange(sessions_, {});
    for (beast::tcp_stream* stream : open) stream->cancel();
  }

  const tcp::endpoint& local() const { return local_; }

 private:
  asio::awaitable<void> accept(std::shared_ptr<listener> self) {
    while (acceptor_.is_open()) {
      error_code ec;
      tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (ec == asio::error::operation_aborted || !acceptor_.is_open()) break;
      if (ec) {  // out of descriptors, perhaps: asking again at once would only burn time
        pause_.expires_after(pause_after_error);
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        continue;
      }
      if (sessions_.size() >= most_sessions) continue;
      asio::co_spawn(acceptor_.get_executor(), serve(self, std::move(socket)), asio::detached);
    }
  }

  // One request a connection: scrapes are far between.
  asio::awaitable<void> serve(std::shared_ptr<listener> self, tcp::socket socket) {
    beast::tcp_stream stream(std::move(socket));
    sessions_.push_back(&stream);
    beast::flat_buffer buffer(8 * 1024);
    http::request_parser<http::empty_body> parser;
    parser.header_limit(8 * 1024);
    error_code ec;
    stream.expires_after(patience);
    co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, ec));
    if (!ec && self->page_) {
      auto made = answer_to(parser.get(), self->page_);
      if (parser.get().method() == http::verb::head) made.body().clear();
      stream.expires_after(patience);
      co_await http::async_write(stream, made, asio::redirect_error(asio::use_awaitable, ec));
      stream.socket().shutdown(tcp::socket::shutdown_send, ec);
    }
    std::erase(sessions_, &stream);
  }

  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint local_;
  std::function<std::string()> page_;
  std::vector<beast::tcp_stream*> sessions_;
};

metrics_server::metrics_server(const asio::any_io_executor& executor, const tcp::endpoint& at,
                               std::function<std::string()> page)
    : listener_(std::make_shared<listener>(executor, at, std::move(page))) {
  listener_->start();
}

metrics_server::~metrics_server() { stop(); }

std::string metrics_server::url() const {
  const auto& local = listener_->local();
  return "http://" + host_and_port(local.address().to_string(), local.port()) + "/metrics";
}

void metrics_server::stop() { listener_->stop(); }

}  // namespace dspu::app
