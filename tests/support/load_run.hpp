// Clients with so many connections that get their requests through servers' limits, in virtual time.
//
//   nginx_limit_req server({.rate = 50, .burst = 20});
//   adaptive_rate_machine pace({}, run_start);
//   const load_report r = run_load({.requests = 600, .connections = 200}, pace, server);
//   r.took, r.refused, r.admitted_between(5s, 10s)
//
// A refused request goes again at once, as far as its policy lets it. Policies are whatever has the verbs of
// adaptive_rate_machine; no_policy lets everything go, told_rate knows the rate. Seeded; the same run goes
// the same way.
#pragma once

#include "support/server_models.hpp"

#include "dspu/core/random.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace dspu::test {

// Not at an edge of any window.
constexpr instant run_start{std::chrono::seconds{100'007} + std::chrono::milliseconds{313}};

struct load_options {
  std::int64_t requests = 600;                        // of each client
  std::size_t connections = 200;                      // of each client, for all its origins
  duration one_way = std::chrono::microseconds{500};  // through the network
  duration service = std::chrono::milliseconds{5};    // of the server, its mean
  double jitter = 0.5;  // 0 to 1: the share of both that is exponential, the rest is constant
  duration late = std::chrono::microseconds{100};  // timers fire so late at most
  std::uint64_t seed = 1;
  duration limit = std::chrono::hours{3};  // then it is cut
};

struct load_report {
  duration took{};  // until the last request was admitted
  std::int64_t admitted = 0;
  std::int64_t refused = 0;
  std::vector<duration> admissions;  // when, since the start, as the client learnt it
  std::vector<duration> refusals;

  std::int64_t between(const std::vector<duration>& all, duration from, duration to) const {
    return std::count_if(all.begin(), all.end(), [=](duration d) { return d >= from && d < to; });
  }
  std::int64_t admitted_between(duration from, duration to) const { return between(admissions, from, to); }
  std::int64_t refused_between(duration from, duration to) const { return between(refusals, from, to); }
  double seconds() const { return std::chrono::duration<double>(took).count(); }
  double refused_share() const {
    return static_cast<double>(refused) / std::max(1.0, static_cast<double>(admitted + refused));
  }
};

struct no_policy {
  using call = instant;
  instant ready_at(instant now) const { return now; }
  call send(instant now) { return now; }
  void admitted(call, instant, const core::limit_facts&) {}
  void refused(call, instant, const core::limit_facts&) {}
};

// What one reaches who was told the limit.
class told_rate {
 public:
  using call = instant;
  explicit told_rate(double rate, std::int64_t concurrency = 1'000'000)
      : interval_(static_cast<std::int64_t>(1e9 / rate)), concurrency_(concurrency) {}
  instant ready_at(instant now) const {
    return in_flight_ >= concurrency_ ? instant::max() : std::max(now, next_);
  }
  call send(instant now) {
    ++in_flight_;
    next_ = std::max(next_, now) + interval_;
    return now;
  }
  void admitted(call, instant, const core::limit_facts&) { --in_flight_; }
  void refused(call, instant, const core::limit_facts&) { --in_flight_; }

 private:
  duration interval_;
  std::int64_t concurrency_;
  std::int64_t in_flight_ = 0;
  instant next_ = run_start;
};

// One client: a policy for each origin, requests dealt out evenly.
template <class Policy>
struct load_client {
  std::vector<Policy*> policies;
  std::vector<std::size_t> servers;  // of these policies, in run_load_of's list
};

namespace detail {

template <class Policy>
class load_run {
 public:
  load_run(const load_options& options, std::vector<load_client<Policy>> clients,
           std::vector<server_model*> servers)
      : options_(options), random_(options.seed), servers_(std::move(servers)) {
    for (auto& c : clients) {
      auto& k = clients_.emplace_back();
      k.of = std::move(c);
      k.waiting.assign(k.of.policies.size(), 0);
      for (std::int64_t i = 0; i < options.requests; ++i)
        ++k.waiting[static_cast<std::size_t>(i) % k.waiting.size()];
    }
  }

  std::vector<load_report> run() {
    for (std::size_t i = 0; i < clients_.size(); ++i) send_from(i, run_start);
    const instant cut = run_start + options_.limit;
    while (!events_.empty() && events_.top().at <= cut) {
      const event e = events_.top();
      events_.pop();
      handle(e);
    }
    std::vector<load_report> reports;
    for (auto& c : clients_) reports.push_back(std::move(c.report));
    return reports;
  }

 private:
  enum class kind { wakes, arrives, answered };
  struct event {
    instant at{};
    std::uint64_t order = 0;
    kind what{};
    std::size_t client = 0;
    std::size_t origin = 0;
    typename Policy::call call{};
    answer came{};
    bool operator<(const event& o) const { return at != o.at ? at > o.at : order > o.order; }
  };
  struct client_state {
    load_client<Policy> of;
    std::vector<std::int64_t> waiting;  // requests, by origin
    std::size_t turn = 0;
    std::size_t in_flight = 0;
    load_report report;
    instant wake = instant::max();  // when it looks again
    std::uint64_t wake_order = 0;
  };

  void post(event e) {
    e.order = next_order_++;
    events_.push(std::move(e));
  }

  duration varied(duration mean) {
    const double spread = -std::log(1 - random_.unit());
    return duration{static_cast<std::int64_t>(static_cast<double>(mean.count()) *
                                              (1 - options_.jitter + options_.jitter * spread))};
  }

  void send_from(std::size_t index, instant now) {
    client_state& c = clients_[index];
    instant wake = instant::max();
    for (std::size_t passed = 0; passed < c.waiting.size() && c.in_flight < options_.connections;) {
      const std::size_t origin = c.turn;
      c.turn = (c.turn + 1) % c.waiting.size();
      ++passed;
      if (c.waiting[origin] == 0) continue;
      Policy& policy = *c.of.policies[origin];
      const instant ready = policy.ready_at(now);
      if (ready > now) {
        wake = std::min(wake, ready);
        continue;
      }
      --c.waiting[origin];
      ++c.in_flight;
      const auto call = policy.send(now);
      post({.at = now + varied(options_.one_way),
            .what = kind::arrives,
            .client = index,
            .origin = origin,
            .call = call});
      passed = 0;
    }
    if (wake == instant::max() || c.in_flight >= options_.connections) return;
    if (wake >= c.wake) return;
    c.wake = wake;
    c.wake_order = next_order_;
    const double late = random_.unit() * static_cast<double>(options_.late.count());
    post({.at = wake + duration{static_cast<std::int64_t>(late)}, .what = kind::wakes, .client = index});
  }

  void handle(const event& e) {
    client_state& c = clients_[e.client];
    if (e.what == kind::wakes) {
      if (e.order != c.wake_order) return;  // another was set since
      c.wake = instant::max();
      return send_from(e.client, e.at);
    }
    if (e.what == kind::arrives) {
      event back = e;
      back.came = servers_[c.of.servers[e.origin]]->arrive(e.at, varied(options_.service));
      back.at = back.came.leaves + varied(options_.one_way);
      back.what = kind::answered;
      return post(back);
    }
    --c.in_flight;
    Policy& policy = *c.of.policies[e.origin];
    if (e.came.admitted) {
      policy.admitted(e.call, e.at, e.came.facts);
      ++c.report.admitted;
      c.report.admissions.push_back(e.at - run_start);
      c.report.took = e.at - run_start;
    } else {
      policy.refused(e.call, e.at, e.came.facts);
      ++c.report.refused;
      c.report.refusals.push_back(e.at - run_start);
      ++c.waiting[e.origin];
    }
    send_from(e.client, e.at);
  }

  load_options options_;
  core::random_source random_;
  std::vector<server_model*> servers_;
  std::vector<client_state> clients_;
  std::priority_queue<event> events_;
  std::uint64_t next_order_ = 0;
};

}  // namespace detail

// Several clients, and the servers that their origins name.
template <class Policy>
std::vector<load_report> run_load_of(const load_options& options, std::vector<load_client<Policy>> clients,
                                     std::vector<server_model*> servers) {
  return detail::load_run<Policy>(options, std::move(clients), std::move(servers)).run();
}

// One client, one server.
template <class Policy>
load_report run_load(const load_options& options, Policy& policy, server_model& server) {
  return run_load_of<Policy>(options, {{{&policy}, {0}}}, {&server}).front();
}

// Jain's index of fairness: 1 if all are equal, 1/n if one has everything.
inline double fairness(const std::vector<double>& shares) {
  double sum = 0;
  double squares = 0;
  for (const double s : shares) {
    sum += s;
    squares += s * s;
  }
  return sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace dspu::test
