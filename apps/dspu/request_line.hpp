// One line of input, read as a request: a URL, or a JSON object.
#pragma once

#include "dspu/transport.hpp"

#include <boost/json/fwd.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace dspu::app {

// What -X, -H and -d say about requests that do not say it themselves.
struct request_defaults {
  std::optional<std::string> method{};
  header_list headers{};
  std::optional<std::string> body{};
};

struct parsed_line {
  std::optional<std::string> id;
  http_request request;
  std::string asked{};  // the URL as it was written, redacted; empty if that is the request's
  std::string meta{};   // JSON that comes back in the result; empty for none
};

// "Name: value". Throws: std::invalid_argument.
std::pair<std::string, std::string> parse_header(std::string_view text);

// An HTTP method's name. Throws: std::invalid_argument.
std::string parse_method(std::string_view text);

// Reads a line:
//   https://example.com/path            a URL; the method is GET, or POST where there is a body
//   # comment, or nothing               no request: returns nothing
//   {"url": "…", …}                     JSON with the keys id (text or whole number), url, method, headers
//                                       (an object whose values are text or lists of text), one of body
//                                       (text), body_b64 and json (any value), and meta (any value)
// Credentials in a URL become an Authorization header, unless there is one.
// A line's own method, headers and body win over the defaults. After a URL a blank and # begin a comment.
// Throws: std::invalid_argument saying what is wrong.
std::optional<parsed_line> parse_request_line(std::string_view line, const request_defaults& defaults);

// The "id" of a line: text, or a whole number, which becomes text. Throws: std::invalid_argument.
std::string read_id(const boost::json::value& value);

// A request as the JSON line that parse_request_line reads back. `asked`, `meta`: as in parsed_line.
std::string to_request_line(std::string_view id, const http_request& request, std::string_view asked = {},
                            std::string_view meta = {});

}  // namespace dspu::app
