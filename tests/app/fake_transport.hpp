// A transport that lives in memory and virtual time: each request is answered as a function says, and every
// exchange is noted.
#pragma once

#include "dspu/testing/manual_clock.hpp"
#include "dspu/transport.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dspu::app::testing {

struct reply {
  std::chrono::nanoseconds latency = std::chrono::milliseconds(10);
  unsigned status = 200;
  header_list headers{};
  std::string body = "body";
  std::optional<transport_failure> failure = std::nullopt;
};

struct exchange_note {
  std::string method;
  std::string url;
  std::chrono::nanoseconds at;  // since the transport was made
  header_list headers;
  std::string body;
};

class fake_transport final : public transport {
 public:
  using clock = dspu::testing::manual_clock;
  using script =
      std::function<reply(const http_request&, int nth)>;  // nth time this URL is asked for, from 1

  explicit fake_transport(script answer) : answer_(std::move(answer)) {}

  boost::asio::awaitable<http_response> exchange(
      const http_request& request, body_sink& sink,
      std::chrono::nanoseconds answer_within = std::chrono::nanoseconds::max()) override {
    notes.push_back({request.method, request.url, clock::now() - start_, request.headers, request.body});
    const reply r = answer_(request, ++counts_[request.url]);
    out_.enter();
    const leave_guard guard{out_};
    if (gives_body_first) begin(r, sink);
    const bool late = !gives_body_first && r.latency > answer_within;
    dspu::testing::manual_timer timer(co_await boost::asio::this_coro::executor,
                                      late ? answer_within : r.latency);
    co_await timer.async_wait(boost::asio::use_awaitable);
    if (late) throw transport_error(transport_failure::first_byte_timeout, "no answer before the deadline");
    if (r.failure) throw transport_error(*r.failure, "scripted");
    http_response response;
    response.status = r.status;
    response.headers = r.headers;
    response.body_bytes = r.body.size();
    if (!gives_body_first) give(response, r.body, sink);
    co_return response;
  }

  std::size_t most_in_flight() const { return out_.most; }
  std::size_t in_flight() const { return out_.now; }
  std::vector<std::chrono::nanoseconds> times(const std::string& url) const {
    std::vector<std::chrono::nanoseconds> found;
    for (const auto& note : notes) {
      if (note.url == url) found.push_back(note.at);
    }
    return found;
  }

  std::vector<exchange_note> notes;
  bool gives_body_first = false;  // before it waits, as where only the end of a body is slow

 private:
  struct gauge {
    std::size_t now = 0;
    std::size_t most = 0;
    void enter() { most = std::max(most, ++now); }
  };
  struct leave_guard {
    gauge& g;
    ~leave_guard() { --g.now; }
  };

  static void begin(const reply& r, body_sink& sink) {
    http_response head;
    head.status = r.status;
    give(head, r.body, sink);
  }
  static void give(const http_response& head, const std::string& body, body_sink& sink) {
    try {
      sink.begin(head);
      sink.write({body.data(), body.size()});
    } catch (const std::exception& error) {
      throw transport_error(transport_failure::sink, error.what());
    }
  }

  script answer_;
  clock::time_point start_ = clock::now();
  std::map<std::string, int> counts_;
  gauge out_;
};

}  // namespace dspu::app::testing
