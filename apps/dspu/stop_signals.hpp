// SIGINT and SIGTERM while a run lasts: the loop is told of the first two, the third ends the
// process.
#pragma once

#include "dspu/file_descriptor.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <array>
#include <csignal>
#include <functional>
#include <memory>

namespace dspu::app {

// While one of these lives the two signals do not end the process by themselves. The third of them
// does, within the signal handler and with the status 128 + its number, so that it works whatever
// the event loop is busy with. A signal that was ignored when the process began (as with nohup, or
// in the background of a shell script) stays ignored.
//
// One at a time in a process. Thread-safety: none; lives on the executor's one thread.
class stop_signals {
 public:
  // `told` is called on the loop with the number of each signal. Throws: io_error.
  stop_signals(const boost::asio::any_io_executor& executor, std::function<void(int number)> told);
  // Restores what the signals did before.
  ~stop_signals();
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

  // `told` is not called any more, and the loop has nothing to wait for. The third signal still
  // ends the process.
  void close();

  // Can be read while there is a signal that `told` was not called for: for those who wait outside
  // the loop.
  int descriptor() const;

 private:
  struct receiver;

  std::shared_ptr<receiver> received_;
  file_descriptor sent_;  // the handler writes to it
  std::array<struct sigaction, 2> before_{};
};

}  // namespace dspu::app
