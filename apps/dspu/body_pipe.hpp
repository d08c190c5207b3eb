// From the wire to a body_sink: inflates, counts, and stops at the limit.
#pragma once

#include "dspu/inflater.hpp"
#include "dspu/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// One response's body. Throws transport_error (body_too_large, protocol, sink) naming `who`.
class body_pipe {
 public:
  // `shared` keeps its memory from one body to the next and is made when first needed.
  // Requires: all that is referred to outlives the pipe.
  body_pipe(body_sink& sink, std::unique_ptr<inflater>& shared, std::uint64_t max_body,
            const std::string& who)
      : sink_(sink), shared_(shared), max_body_(max_body), who_(who) {}

  // `length`: what Content-Length announces, if anything. `inflate`: undo a Content-Encoding that we know.
  void begin(const http_response& head, std::optional<std::uint64_t> length, bool inflate);
  void write(std::string_view bytes);
  void finish();

  std::uint64_t bytes() const { return bytes_; }  // after inflation

 private:
  void deliver(std::span<const char> bytes);
  [[noreturn]] void too_large() const;

  body_sink& sink_;
  std::unique_ptr<inflater>& shared_;
  std::uint64_t max_body_;
  const std::string& who_;
  std::uint64_t bytes_ = 0;
  bool inflating_ = false;
};

}  // namespace dspu::app
