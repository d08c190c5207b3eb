// Of what a body that broke off is the beginning, and whether an answer is its continuation (RFC 9110,
// section 14). Decisions only.
#pragma once

#include "dspu/transport.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// A representation that a server can be asked for the rest of.
struct download_source {
  std::string validator;     // for If-Range: a strong ETag, or a Last-Modified that is as good
  std::uint64_t length = 0;  // of all of it

  bool operator==(const download_source&) const = default;
};

// What `head`, of an answer with status 200, is the beginning of. Nothing, if its length is not announced, it
// is compressed, or nothing in it would tell that it has changed.
std::optional<download_source> source_of(const http_response& head);

// What asks for the rest behind `bytes`.
header_list headers_for_rest(const download_source& of, std::uint64_t bytes);

enum class continuation {
  rest,   // the rest, as it was asked for
  anew,   // all of it, from the beginning
  wrong,  // another part, or that there is none
  other,  // nothing of it: an error, a redirect
};
continuation continuation_in(const http_response& head, const download_source& of, std::uint64_t bytes);

// As a line of JSON, to be found by the next run. `url`: which was asked for; only its fingerprint is in the
// line.
std::string to_line(const download_source& source, std::string_view url);
// Nothing, if it is no such line, or of another URL.
std::optional<download_source> download_source_from(std::string_view line, std::string_view url);

}  // namespace dspu::app
