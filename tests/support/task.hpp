// A coroutine under test, with the means to cancel it and to ask how it ended.
#pragma once

#include "dspu/testing/simulator.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <optional>

namespace dspu::test {

namespace asio = boost::asio;

template <class E>
bool holds(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
}

inline bool is_aborted(const std::exception_ptr& error) {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

class task {
 public:
  template <class Executor>
  task(const Executor& ex, asio::awaitable<void> body) {
    asio::co_spawn(ex, std::move(body), asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr e) {
                     done_ = true;
                     error_ = e;
                     ended_at_ = testing::manual_clock::now();
                   }));
  }
  task(testing::simulator& sim, asio::awaitable<void> body) : task(sim.get_executor(), std::move(body)) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;

  void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) { signal_.emit(type); }
  bool done() const { return done_; }
  bool succeeded() const { return done_ && !error_; }
  bool aborted() const { return done_ && is_aborted(error_); }
  const std::exception_ptr& error() const { return error_; }
  template <class E>
  bool failed_with() const {
    return done_ && holds<E>(error_);
  }
  testing::manual_clock::time_point ended_at() const { return ended_at_; }

 private:
  asio::cancellation_signal signal_;
  bool done_ = false;
  std::exception_ptr error_;
  testing::manual_clock::time_point ended_at_{};
};

}  // namespace dspu::test
