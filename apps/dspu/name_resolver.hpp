// Host names to addresses, without ever keeping a caller longer than it wants to wait.
//
// getaddrinfo() cannot be cancelled, and Asio's resolver runs all lookups of an io_context one after the
// other on one thread which its destructor joins. Here lookups run side by side on a few threads of their
// own, whoever waits may leave at any time, and a lookup that nobody awaits any more holds up neither the
// loop nor the exit.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dspu::app {

struct lookup_result {
  std::vector<boost::asio::ip::address> addresses;  // in the order to try; empty on failure
  std::string error;                                // why, in the system's words
  bool temporary = false;  // the failure says nothing of the name: another time it may be found
};

// The system's getaddrinfo(); blocks.
lookup_result look_up(const std::string& host);

// Lookups of one name at the same time are one lookup; answers are kept for a minute, failures are not.
// Thread-safety: none; lives on the executor's one thread.
class name_resolver {
 public:
  using clock = std::chrono::steady_clock;
  using lookup =
      std::function<lookup_result(const std::string&)>;  // called on a thread of the resolver's own

  explicit name_resolver(boost::asio::any_io_executor executor, lookup function = look_up);
  ~name_resolver();
  name_resolver(const name_resolver&) = delete;
  name_resolver& operator=(const name_resolver&) = delete;

  struct answer {
    lookup_result result;
    bool timed_out = false;
  };
  // Suspends: until the answer is there or `deadline`. An address as `host` is its own answer.
  // On cancel: system_error(operation_aborted) at once; the lookup itself goes on for those who still wait.
  boost::asio::awaitable<answer> resolve(std::string host, clock::time_point deadline);

 private:
  struct pending;
  struct waiter;
  struct cache;
  class workers;

  std::shared_ptr<pending> find_or_start(const std::string& host);

  boost::asio::any_io_executor executor_;
  std::shared_ptr<cache> cache_;
  std::shared_ptr<workers> workers_;
};

}  // namespace dspu::app
