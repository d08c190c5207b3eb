// A whole run of the engine in virtual time, over a transport that lives in memory.
#pragma once

#include "app/fake_transport.hpp"
#include "dspu/impl/engine.hpp"
#include "dspu/testing/simulator.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// In engine_test.cpp.
extern template class dspu::app::basic_engine<dspu::testing::manual_clock>;

namespace dspu::app::testing {

using namespace std::chrono_literals;
using dspu::testing::simulator;
namespace core = dspu::core;

class list_source final : public request_source {
 public:
  explicit list_source(std::vector<http_request> requests) : requests_(std::move(requests)) {}

  state next(input_item& item) override {
    if (next_ == requests_.size()) return state::end;
    item.request = requests_[next_++];
    item.n = next_;
    item.id = std::to_string(item.n);
    item.problem = item.request.url.empty() ? "list:1: not a request" : "";
    return state::item;
  }
  boost::asio::awaitable<void> wait() override { co_return; }
  std::optional<std::uint64_t> expected() const override { return requests_.size(); }

  std::size_t taken() const { return next_; }

 private:
  std::vector<http_request> requests_;
  std::size_t next_ = 0;
};

class collector final : public flow_observer {
 public:
  void on_result(const result_record& record, const http_request&) override {
    if (on_each) on_each(record);
    records.push_back(record);
  }
  void on_turn() override {
    if (on_each_turn) on_each_turn();
    kept = records.size();
  }
  void on_retry(const job&, core::duration, core::retry_reason) override { ++retries; }
  void on_refusal(const job&, core::duration) override { ++refusals; }
  void on_pace(std::string_view, const pace_report& learnt) override { paces.push_back(learnt); }
  void on_hold(std::string_view origin, core::duration d) override { holds.emplace_back(origin, d); }
  void on_breaker(std::string_view origin, core::circuit_transition t, core::duration) override {
    transitions.emplace_back(std::string(origin), t.to);
  }

  const result_record& of(const std::string& url) const {
    for (const auto& record : records) {
      if (record.url == url) return record;
    }
    throw std::logic_error("no result for " + url);
  }

  std::vector<result_record> records;
  std::vector<std::pair<std::string, core::duration>> holds;
  std::vector<std::pair<std::string, core::circuit_state>> transitions;
  int retries = 0;
  int refusals = 0;
  std::vector<pace_report> paces;
  std::function<void(const result_record&)> on_each;
  std::size_t kept = 0;  // of the records, at the end of a turn
  std::function<void()> on_each_turn;
};

using test_engine = basic_engine<dspu::testing::manual_clock>;

// Everything a run needs; the options are set before run().
struct run_of {
  run_of(std::vector<http_request> requests, fake_transport::script script)
      : source(std::move(requests)), wire(std::move(script)) {
    core::backoff_options backoff;
    backoff.jitter = core::jitter::none;
    options.flow.plan = core::retry_plan(3, backoff, 5min);
    options.flow.scheduling.origin.concurrency = 1000;
    options.flow.scheduling.concurrency = 1000;
  }

  test_engine& make() {
    engine.emplace(sim.get_executor(), options, source, wire, seen);
    return *engine;
  }
  void run() {
    if (!engine) make();
    sim.run(engine->run());
    EXPECT_EQ(wire.in_flight(), 0u);
    EXPECT_EQ(engine->in_flight(), 0u);
  }

  simulator sim;
  engine_options options;
  list_source source;
  fake_transport wire;
  collector seen;
  std::optional<test_engine> engine;
};

inline http_request request_to(std::string url, std::string method = "GET") {
  http_request request;
  request.method = std::move(method);
  request.url = std::move(url);
  return request;
}

inline std::vector<http_request> urls(const std::string& stem, int count) {
  std::vector<http_request> requests;
  for (int i = 1; i <= count; ++i) requests.push_back(request_to(stem + std::to_string(i)));
  return requests;
}

inline reply failing(transport_failure kind) { return {.failure = kind}; }

inline header_list retry_after_header(const std::string& value) { return {{"Retry-After", value}}; }

// So many requests at once, as many in an hour, and the end in two.
class halting_source final : public request_source {
 public:
  explicit halting_source(std::uint64_t count = 3) : count_(count) {}

  state next(input_item& item) override {
    if (hours_ == 3) return state::end;
    if (given_ == count_ * hours_) return state::pending;
    item.n = ++given_;
    item.id = std::to_string(item.n);
    item.request = request_to("http://h/" + item.id);
    return state::item;
  }
  boost::asio::awaitable<void> wait() override {
    dspu::testing::manual_timer timer(co_await boost::asio::this_coro::executor, 1h);
    co_await timer.async_wait(boost::asio::use_awaitable);
    ++hours_;
  }
  std::optional<std::uint64_t> expected() const override { return std::nullopt; }

 private:
  std::uint64_t count_;
  std::uint64_t given_ = 0;
  std::uint64_t hours_ = 1;
};

}  // namespace dspu::app::testing
