// What the unreliable server would answer if nothing went wrong: the paths it knows.
#pragma once

#include "dspu/request_reader.hpp"
#include "dspu/serve_options.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

struct serve_answer {
  unsigned status = 200;
  std::string headers;  // lines, each with its end; framing and Date excepted
  std::string body;
  std::uint64_t filler = 0;           // instead of `body`: so many bytes that are made while they are sent
  std::chrono::nanoseconds delay{0};  // besides the latency

  bool has_body() const { return status / 100 != 1 && status != 204 && status != 304; }
  std::uint64_t length() const { return filler > 0 ? filler : body.size(); }
};

// /status/N, /redirect/N, /bytes/N, /gzip/N, /delay/DURATION and /echo do as they say; anything else gets a
// small body that names the path. A path of those that cannot be understood is answered with 400 and the
// reason.
serve_answer answer_to(const incoming_request& request, const serve_options& options);

// An answer of one status, with a body that says so.
serve_answer plain_answer(unsigned status);

// The status's usual phrase.
std::string_view reason_phrase(unsigned status);

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::chrono::system_clock::time_point t);

}  // namespace dspu::app
