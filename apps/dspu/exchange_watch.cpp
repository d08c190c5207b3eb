#include "dspu/exchange_watch.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace dspu::app {

using instant = transfer_pace::instant;

struct exchange_watch::state : std::enable_shared_from_this<exchange_watch::state> {
  explicit state(boost::asio::any_io_executor e) : executor(std::move(e)) {}

  void add(watched_exchange& exchange) {
    exchange.place_ = exchanges.size();
    exchanges.push_back(&exchange);
    look_at(exchange.pace_.due());
  }

  void remove(const watched_exchange& exchange) {
    exchanges.back()->place_ = exchange.place_;
    exchanges[exchange.place_] = exchanges.back();
    exchanges.pop_back();
    if (exchanges.empty()) stop();
  }

  void stop() {
    looks_at = instant::max();
    timer.reset();
  }

  void look_at(instant due) {
    if (due >= looks_at) return;
    looks_at = due;
    if (!timer) timer.emplace(executor);
    timer->expires_at(due);
    timer->async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      // A handler that was queued before the timer was moved comes with success, and too early or too late.
      if (!ec && self->looks_at != instant::max()) self->look();
    });
  }

  void look() {
    const instant now = watched_exchange::clock::now();
    instant next = instant::max();
    looks_at = instant::max();
    for (watched_exchange* exchange : exchanges) {
      if (exchange->fault_) continue;
      exchange->fault_ = exchange->pace_.verdict(now);
      if (exchange->fault_)
        exchange->stream_.close();
      else
        next = std::min(next, exchange->pace_.due());
    }
    look_at(next);
  }

  boost::asio::any_io_executor executor;
  std::optional<boost::asio::steady_timer>
      timer;  // while there are exchanges: the loop may be gone before the client
  instant looks_at = instant::max();
  std::vector<watched_exchange*> exchanges;
};

exchange_watch::exchange_watch(const boost::asio::any_io_executor& executor)
    : state_(std::make_shared<state>(executor)) {}

exchange_watch::~exchange_watch() { state_->stop(); }

watched_exchange::watched_exchange(const exchange_watch* by, wire_stream& stream,
                                   const transfer_limits& limits, clock::time_point answer_by)
    : watch_(by != nullptr ? by->state_ : nullptr), stream_(stream), pace_(limits, answer_by, clock::now()) {
  if (watch_) watch_->add(*this);
}

watched_exchange::~watched_exchange() {
  if (watch_) watch_->remove(*this);
}

void watched_exchange::wrote() { pace_.wrote(clock::now()); }

void watched_exchange::sent() {
  pace_.sent(clock::now());
  if (watch_) watch_->look_at(pace_.due());
}

void watched_exchange::read(std::uint64_t bytes, bool head) {
  pace_.read(bytes, head, clock::now());
  if (watch_) watch_->look_at(pace_.due());
}

}  // namespace dspu::app
