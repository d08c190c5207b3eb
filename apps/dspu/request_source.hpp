// Where requests come from, seen from the engine: taken one at a time, only as fast as they are wanted.
#pragma once

#include "dspu/transport.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace dspu::app {

struct input_item {
  std::uint64_t n = 0;  // from 1, over all input; blank lines and comments do not count
  std::string id;
  http_request request;
  std::string asked;    // the URL as it was written, redacted; empty if that is the request's
  std::string meta;     // JSON that comes back in the result; empty for none
  std::string line;     // if it is no request: what --failed-to gets
  std::string problem;  // not empty: this line is no request, and why ("urls.txt:17: …")
};

class request_source {
 public:
  enum class state {
    item,     // there is one
    pending,  // not yet: wait()
    end,
  };

  virtual ~request_source() = default;

  // Never blocks. Throws: io_error.
  virtual state next(input_item& item) = 0;

  // Suspends: until next() may have more to say.
  virtual boost::asio::awaitable<void> wait() = 0;

  // How many items there are in all; an estimate until the end has been seen, nothing where none can be made.
  virtual std::optional<std::uint64_t> expected() const = 0;
};

}  // namespace dspu::app
