// What can still be said of a line of input that is no request, for its result and for --failed-to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

struct wrong_line {
  explicit wrong_line(std::string_view line);

  std::optional<std::string> id{};  // its own, if it has one
  std::string url{};  // what stands in the place of a URL, redacted, in UTF-8, at most 2,000 bytes
  std::string meta{};  // as in parsed_line
};

// The line for --failed-to, to be mended there: with its id, if it is a JSON object or text; else as it is.
std::string to_mend(std::string_view line, std::string_view id);

// Whether text begins as UTF-16 or UTF-32 does: with a byte order mark, or with a letter of ASCII beside a
// NUL byte.
bool is_utf16(std::string_view text);

}  // namespace dspu::app
