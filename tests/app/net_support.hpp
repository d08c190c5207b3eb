// What the network tests share: run a coroutine to its end, keep what a sink gets, and a peer that does as
// told.
#pragma once

#include "dspu/http_client.hpp"
#include "dspu/transport.hpp"

#include <boost/asio.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dspu::app::test {

namespace asio = boost::asio;
using asio::ip::tcp;

// Runs `loop` until `condition`; a test that hangs fails instead.
template <class Condition>
void run_until(asio::io_context& loop, Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up)
      throw std::runtime_error("the loop made no progress for 60 s");
    if (loop.stopped()) loop.restart();
    loop.run_one_for(std::chrono::milliseconds(100));
  }
}

template <class T>
T run(asio::io_context& loop, asio::awaitable<T> operation) {
  std::exception_ptr error;
  std::optional<T> value;
  bool done = false;
  asio::co_spawn(loop, std::move(operation), [&](std::exception_ptr e, T result) {
    error = e;
    value = std::move(result);
    done = true;
  });
  run_until(loop, [&] { return done; });
  if (error) std::rethrow_exception(error);
  return std::move(*value);
}

class memory_sink : public body_sink {
 public:
  void begin(const http_response& head) override {
    ++begun;
    status = head.status;
    body.clear();
  }
  void write(std::span<const char> bytes) override {
    largest_piece = std::max(largest_piece, bytes.size());
    body.append(bytes.data(), bytes.size());
  }

  int begun = 0;
  unsigned status = 0;
  std::string body;
  std::size_t largest_piece = 0;
};

struct outcome {
  std::optional<http_response> response;
  std::optional<transport_failure> failure;
  exchange_progress reached;
  bool cancelled = false;
  std::string what;
  std::string body;
};

inline asio::awaitable<outcome> attempt(transport& client, http_request request) {
  outcome result;
  memory_sink sink;
  try {
    result.response = co_await client.exchange(request, sink);
  } catch (const transport_error& error) {
    result.failure = error.kind();
    result.reached = error.progress();
    result.what = error.what();
  } catch (const boost::system::system_error& error) {
    result.cancelled = error.code() == asio::error::operation_aborted;
    result.what = error.what();
  }
  result.body = sink.body;
  co_return result;
}

inline outcome fetch(asio::io_context& loop, transport& client, http_request request) {
  return run(loop, attempt(client, std::move(request)));
}

inline outcome fetch(asio::io_context& loop, transport& client, const std::string& url) {
  http_request request;
  request.url = url;
  return fetch(loop, client, std::move(request));
}

// Options under which the environment's proxies play no part.
inline http_client_options direct() {
  http_client_options options;
  options.proxy = "";
  return options;
}

// Starts attempts that can be cancelled, one at a time.
class cancellable_attempt {
 public:
  cancellable_attempt(asio::io_context& loop, transport& client, http_request request) {
    asio::co_spawn(loop, attempt(client, std::move(request)),
                   asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr e, outcome o) {
                     if (e) std::rethrow_exception(e);
                     result_ = std::move(o);
                   }));
  }
  void cancel() { signal_.emit(asio::cancellation_type::terminal); }
  bool done() const { return result_.has_value(); }
  const outcome& result() const { return result_.value(); }

 private:
  asio::cancellation_signal signal_;
  std::optional<outcome> result_;
};

// A server that plays one script a connection: it reads a request and writes the next answer, and so on; then
// it ends the connection as told. Everything happens on the loop's thread.
class scripted_server {
 public:
  enum class ending {
    close,           // at once after the last answer
    reset,           // likewise, with a reset
    read_and_close,  // reads one more request and closes without an answer
    read_and_reset,
    hold,  // stays silent until the client leaves
  };
  struct script {
    std::vector<std::string> answers;
    ending end = ending::close;
  };

  scripted_server(asio::io_context& loop, std::vector<script> scripts)
      : state_(std::make_shared<state>(loop, std::move(scripts))) {
    asio::co_spawn(loop, serve(state_), asio::detached);
  }
  ~scripted_server() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    for (const auto& weak : state_->open)
      if (const auto socket = weak.lock()) socket->close(ignored);
  }
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;

  std::string authority() const {
    return "127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port());
  }
  std::string url(const std::string& path = "/") const { return "http://" + authority() + path; }
  const std::vector<std::string>& requests() const { return state_->requests; }
  std::size_t connections() const { return state_->connections; }
  // Connections that the client has not left yet.
  std::size_t open() const {
    std::size_t n = 0;
    for (const auto& weak : state_->open) n += weak.expired() ? 0 : 1;
    return n;
  }

 private:
  struct state {
    state(asio::io_context& loop, std::vector<script> s)
        : acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), scripts(std::move(s)) {}
    tcp::acceptor acceptor;
    std::vector<script> scripts;
    std::vector<std::string> requests;
    std::vector<std::weak_ptr<tcp::socket>> open;
    std::size_t connections = 0;
  };

  static asio::awaitable<void> serve(std::shared_ptr<state> self) {
    while (self->connections < self->scripts.size()) {
      boost::system::error_code ec;
      auto socket = co_await self->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return;
      auto shared = std::make_shared<tcp::socket>(std::move(socket));
      self->open.push_back(shared);
      const auto executor = co_await asio::this_coro::executor;
      asio::co_spawn(executor, play(self, shared, self->scripts[self->connections++]), asio::detached);
    }
  }

  static asio::awaitable<bool> read_request(std::shared_ptr<state> self,
                                            std::shared_ptr<tcp::socket> socket) {
    std::string text;
    auto buffer = asio::dynamic_buffer(text);
    boost::system::error_code ec;
    const std::size_t head = co_await asio::async_read_until(*socket, buffer, "\r\n\r\n",
                                                             asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return false;
    const auto field = text.find("Content-Length: ");
    if (field < head) {
      const std::size_t total = head + std::stoul(text.substr(field + 16));
      if (text.size() < total) {
        const std::size_t missing = total - text.size();
        co_await asio::async_read(*socket, buffer, asio::transfer_exactly(missing),
                                  asio::redirect_error(asio::use_awaitable, ec));
      }
    }
    self->requests.push_back(text);
    co_return !ec;
  }

  static asio::awaitable<void> play(std::shared_ptr<state> self, std::shared_ptr<tcp::socket> socket,
                                    script s) {
    boost::system::error_code ec;
    for (const std::string& answer : s.answers) {
      const bool read = co_await read_request(self, socket);
      if (!read) co_return;
      co_await asio::async_write(*socket, asio::buffer(answer),
                                 asio::redirect_error(asio::use_awaitable, ec));
    }
    if (s.end == ending::read_and_close || s.end == ending::read_and_reset)
      co_await read_request(self, socket);
    if (s.end == ending::hold) {
      char byte = 0;
      while (!ec)
        co_await socket->async_read_some(asio::buffer(&byte, 1),
                                         asio::redirect_error(asio::use_awaitable, ec));
    }
    if (s.end == ending::reset || s.end == ending::read_and_reset)
      socket->set_option(tcp::socket::linger(true, 0));
    socket->close(ec);
  }

  std::shared_ptr<state> state_;
};

inline std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace dspu::app::test
