// More models of servers: those that limit calls in flight, those that are overloaded, and conditions around
// another model: refusals at random, other clients, limits that change.
#pragma once

#include "support/server_models.hpp"

#include "dspu/core/random.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

namespace dspu::test {

// nginx's limit_conn: so many in service at once.
class limit_conn final : public server_model {
 public:
  limit_conn(std::int64_t limit, const refusal_style& style) : limit_(limit), style_(style) {}

  void set_limit(std::int64_t limit) { limit_ = limit; }

  answer arrive(instant now, duration service) override {
    while (!ends_.empty() && ends_.top() <= now) ends_.pop();
    if (std::ssize(ends_) >= limit_) return refusal(now, style_);
    ends_.push(now + service);
    return {.leaves = now + service};
  }

 private:
  struct open : std::priority_queue<instant, std::vector<instant>, std::greater<>> {};

  std::int64_t limit_;
  refusal_style style_;
  open ends_;
};

// So many workers and a queue before them: latency grows with load, and beyond the queue there is 503.
class overloaded final : public server_model {
 public:
  overloaded(std::size_t workers, std::size_t queue, const refusal_style& style)
      : free_at_(workers, instant::min()), queue_(queue), style_(style) {}

  answer arrive(instant now, duration service) override {
    while (!starts_.empty() && starts_.front() <= now) starts_.pop_front();
    if (starts_.size() >= queue_ && queue_ > 0) return refusal(now, style_);
    const auto first = std::min_element(free_at_.begin(), free_at_.end());
    const instant begins = std::max(now, *first);
    if (queue_ == 0 && begins > now) return refusal(now, style_);
    *first = begins + service;
    if (begins > now) starts_.push_back(begins);
    return {.leaves = *first};
  }

 private:
  std::vector<instant> free_at_;
  std::size_t queue_;
  refusal_style style_;
  std::deque<instant> starts_;  // of those that wait for a worker
};

// Refuses a share at random, whatever the load; asks another model for the rest.
class refuses_at_random final : public server_model {
 public:
  refuses_at_random(double share, std::uint64_t seed, std::unique_ptr<server_model> rest,
                    const refusal_style& style)
      : share_(share), random_(seed), rest_(std::move(rest)), style_(style) {}

  answer arrive(instant now, duration service) override {
    if (random_.unit() < share_) return refusal(now, style_);
    return rest_->arrive(now, service);
  }

 private:
  double share_;
  core::random_source random_;
  std::unique_ptr<server_model> rest_;
  refusal_style style_;
};

// Another client that sends evenly to the same server from time to time.
struct other_client {
  double rate = 25;  // per second
  instant from{};
  instant until{};
};

class shared_server final : public server_model {
 public:
  shared_server(std::unique_ptr<server_model> server, std::vector<other_client> others)
      : server_(std::move(server)), others_(std::move(others)) {
    for (const auto& o : others_) next_.push_back(o.from);
  }

  answer arrive(instant now, duration service) override {
    for (;;) {
      const auto first = std::min_element(next_.begin(), next_.end());
      if (first == next_.end() || *first > now) break;
      const auto& o = others_[static_cast<std::size_t>(first - next_.begin())];
      if (*first < o.until) {
        server_->arrive(*first, service);
        *first += duration{static_cast<std::int64_t>(1e9 / o.rate)};
      } else {
        *first = instant::max();
      }
    }
    return server_->arrive(now, service);
  }

 private:
  std::unique_ptr<server_model> server_;
  std::vector<other_client> others_;
  std::vector<instant> next_;
};

// A server whose limit changes: each change is made when its time has come.
template <class Model>
class changing final : public server_model {
 public:
  struct change {
    instant at{};
    std::function<void(Model&)> make;
  };
  changing(Model model, std::vector<change> changes)
      : model_(std::move(model)), changes_(std::move(changes)) {}

  answer arrive(instant now, duration service) override {
    for (; made_ < changes_.size() && changes_[made_].at <= now; ++made_) changes_[made_].make(model_);
    return model_.arrive(now, service);
  }

 private:
  Model model_;
  std::vector<change> changes_;
  std::size_t made_ = 0;
};

}  // namespace dspu::test
