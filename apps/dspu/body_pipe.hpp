// From the wire to a body_sink: inflates, counts, and stops at the limit.
#pragma once

#include "dspu/content_decoder.hpp"
#include "dspu/transport.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// One response's body. Throws transport_error (body_too_large, protocol, reset, sink) naming `who`.
class body_pipe {
 public:
  // `decoder` may have been used for earlier bodies. Requires: all that is referred to outlives the pipe.
  body_pipe(body_sink& sink, content_decoder& decoder, std::uint64_t max_body, const std::string& who)
      : sink_(sink), decoder_(decoder), max_body_(max_body), who_(who) {}

  struct announced {
    bool body = false;                    // whether there is one, be it an empty one
    std::optional<std::uint64_t> length;  // as Content-Length says it
    bool inflate = false;                 // undo what we know of its Content-Encoding
  };
  // Notes in `head` what is not undone.
  void begin(http_response& head, const announced& what);
  void write(std::string_view bytes);
  // `by_close`: nothing but the end of the connection says that this is the end.
  void finish(bool by_close);

  std::uint64_t bytes() const { return bytes_; }  // after inflation

 private:
  void deliver(std::span<const char> bytes);
  [[noreturn]] void too_large() const;

  body_sink& sink_;
  content_decoder& decoder_;
  std::uint64_t max_body_;
  const std::string& who_;
  std::uint64_t bytes_ = 0;
};

}  // namespace dspu::app
