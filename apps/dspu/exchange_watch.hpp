// Closes the connection of an exchange that does not move on (transfer_pace.hpp). One timer looks after all
// exchanges of a client: it is set to the earliest moment at which something may be wrong, and moved only to
// an earlier one.
#pragma once

#include "dspu/transfer_pace.hpp"
#include "dspu/wire_stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace dspu::app {

// Thread-safety: none; lives on the executor's one thread. Keeps the loop busy only while an exchange is
// looked after.
class exchange_watch {
 public:
  explicit exchange_watch(const boost::asio::any_io_executor& executor);
  ~exchange_watch();
  exchange_watch(const exchange_watch&) = delete;
  exchange_watch& operator=(const exchange_watch&) = delete;

 private:
  struct state;
  std::shared_ptr<state> state_;  // outlives us in a timer handler that is on its way

  friend class watched_exchange;
};

// An exchange, looked after as long as this lives. What runs on its stream when the time is over ends in an
// error, and fault() says why.
class watched_exchange {
 public:
  using clock = std::chrono::steady_clock;

  // Without a watch nothing is ever wrong. Requires: `stream` outlives this.
  watched_exchange(const exchange_watch* by, wire_stream& stream, const transfer_limits& limits,
                   clock::time_point answer_by);
  ~watched_exchange();
  watched_exchange(const watched_exchange&) = delete;
  watched_exchange& operator=(const watched_exchange&) = delete;

  // As transfer_pace.
  void wrote();
  void sent();
  void read(std::uint64_t bytes, bool head);

  std::optional<transfer_pace::fault> fault() const { return fault_; }

 private:
  friend struct exchange_watch::state;

  std::shared_ptr<exchange_watch::state> watch_;
  wire_stream& stream_;
  transfer_pace pace_;
  std::optional<transfer_pace::fault> fault_;
  std::size_t place_ = 0;
};

}  // namespace dspu::app
