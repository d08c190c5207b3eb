// Models of servers that limit their clients, in virtual time: pure computation, exact, no sockets.
//
//   nginx_limit_req server({.rate = 50, .burst = 20});
//   const answer a = server.arrive(now, 5ms);   // a request that takes 5 ms to serve
//   a.admitted, a.leaves, a.facts               // what comes of it, and when the answer leaves
//
// Requests must arrive in the order of their instants.
#pragma once

#include "dspu/core/adaptive_rate_options.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>

namespace dspu::test {

using core::duration;
using core::instant;

struct answer {
  bool admitted = true;
  instant leaves{};
  core::limit_facts facts{};
  int status = 200;
};

class server_model {
 public:
  virtual ~server_model() = default;
  virtual answer arrive(instant now, duration service) = 0;
};

// How a refusal looks.
struct refusal_style {
  int status = 503;
  std::optional<duration> retry_after = std::nullopt;
};

inline answer refusal(instant now, const refusal_style& style) {
  return {
      .admitted = false, .leaves = now, .facts = {.retry_after = style.retry_after}, .status = style.status};
}

// Admits everything.
class unlimited final : public server_model {
 public:
  answer arrive(instant now, duration service) override { return {.leaves = now + service}; }
};

// nginx's limit_req, in its own integers (ngx_http_limit_req_lookup): thousandths of a request, whole
// milliseconds.
struct limit_req_options {
  std::int64_t rate = 50;   // per second
  std::int64_t burst = 20;  // beside the one that the rate admits
  bool nodelay = true;
  refusal_style refuses{};
};

class nginx_limit_req final : public server_model {
 public:
  explicit nginx_limit_req(const limit_req_options& options) : options_(options) {}

  void set_rate(std::int64_t rate) { options_.rate = rate; }

  answer arrive(instant now, duration service) override {
    const auto at = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count();
    std::int64_t excess = 0;
    if (started_) {
      const std::int64_t ms = std::min<std::int64_t>(at - last_, 60'000 * 60);
      excess = std::max<std::int64_t>(excess_ - options_.rate * ms + 1000, 0);
    }
    if (excess > options_.burst * 1000) return refusal(now, options_.refuses);
    started_ = true;
    excess_ = excess;
    last_ = at;
    const std::int64_t delay = options_.nodelay ? 0 : excess / options_.rate;  // ms
    return {.leaves = now + std::chrono::milliseconds{delay} + service};
  }

 private:
  limit_req_options options_;
  bool started_ = false;
  std::int64_t excess_ = 0;
  std::int64_t last_ = 0;
};

// A token bucket that starts full.
struct bucket_options {
  double rate = 50;  // per second
  double depth = 20;
  refusal_style refuses{.status = 429};
};

class token_bucket_server final : public server_model {
 public:
  explicit token_bucket_server(const bucket_options& options) : options_(options), level_(options.depth) {}

  void set_rate(double rate) { options_.rate = rate; }

  answer arrive(instant now, duration service) override {
    const double passed = started_ ? std::chrono::duration<double>(now - last_).count() : 0;
    level_ = std::min(options_.depth, level_ + passed * options_.rate);
    started_ = true;
    last_ = now;
    if (level_ < 1 - 1e-9) return refusal(now, options_.refuses);
    level_ -= 1;
    return {.leaves = now + service};
  }

 private:
  bucket_options options_;
  double level_;
  bool started_ = false;
  instant last_{};
};

// So many requests in each window of the server's clock. With `tells`, its answers have the RateLimit fields;
// with `refuses_with_reset`, a refusal's Retry-After is the reset. Both in whole seconds, rounded up.
struct window_options {
  std::int64_t limit = 100;
  duration window = std::chrono::minutes{1};
  duration phase{0};  // a window begins at so long after the epoch
  bool tells = false;
  bool refuses_with_reset = false;
  refusal_style refuses{.status = 429};
};

class fixed_window final : public server_model {
 public:
  explicit fixed_window(const window_options& options) : options_(options) {}

  answer arrive(instant now, duration service) override {
    const auto since = now.time_since_epoch() - options_.phase;
    const std::int64_t index = since / options_.window;
    if (index != index_) used_ = 0;
    index_ = index;
    answer a{.leaves = now + service};
    if (used_ >= options_.limit) {
      a = refusal(now, options_.refuses);
    } else {
      ++used_;
    }
    const auto left = options_.window * (index + 1) - since;
    const duration reset = std::chrono::ceil<std::chrono::seconds>(left);
    if (options_.tells) {
      a.facts.limit = options_.limit;
      a.facts.remaining = options_.limit - used_;
      a.facts.reset = reset;
    }
    if (options_.refuses_with_reset && !a.admitted) a.facts.retry_after = reset;
    return a;
  }

 private:
  window_options options_;
  std::int64_t index_ = -1;
  std::int64_t used_ = 0;
};

// So many requests in any span of that length: a log of those admitted.
class sliding_window final : public server_model {
 public:
  explicit sliding_window(const window_options& options) : options_(options) {}

  answer arrive(instant now, duration service) override {
    while (!admitted_.empty() && now - admitted_.front() >= options_.window) admitted_.pop_front();
    if (std::ssize(admitted_) >= options_.limit) return refusal(now, options_.refuses);
    admitted_.push_back(now);
    return {.leaves = now + service};
  }

 private:
  window_options options_;
  std::deque<instant> admitted_;
};

// haproxy: `http-request track-sc0 src` and `deny if { sc_http_req_rate(0) gt limit }`. Its frequency counter
// is the running period and a share of the one before, and counts also what is denied.
class haproxy_stick_table final : public server_model {
 public:
  explicit haproxy_stick_table(const window_options& options) : options_(options) {}

  answer arrive(instant now, duration service) override {
    const auto since = now.time_since_epoch() - options_.phase;
    const std::int64_t index = since / options_.window;
    if (index != index_) {
      before_ = index == index_ + 1 ? running_ : 0;
      running_ = 0;
      index_ = index;
    }
    ++running_;
    const double left = 1 - std::chrono::duration<double>(since - options_.window * index) /
                                std::chrono::duration<double>(options_.window);
    if (static_cast<double>(running_) + std::floor(static_cast<double>(before_) * left) >
        static_cast<double>(options_.limit)) {
      return refusal(now, options_.refuses);
    }
    return {.leaves = now + service};
  }

 private:
  window_options options_;
  std::int64_t index_ = -2;
  std::int64_t running_ = 0;
  std::int64_t before_ = 0;
};

}  // namespace dspu::test
