// Whether bytes are text that JSON can hold as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

struct utf8_character {
  std::size_t size = 0;  // in bytes; 0 if the text does not begin with a character
  std::uint32_t code = 0;
};
// Requires: `text` is not empty.
utf8_character first_character(std::string_view text);

// Well-formed UTF-8 in the sense of RFC 3629: no surrogates, no overlong forms.
bool is_utf8(std::string_view bytes);

// `text` with each byte that is not part of UTF-8 replaced by U+FFFD, for messages that quote foreign text.
std::string to_utf8(std::string_view text);

}  // namespace dspu::app
