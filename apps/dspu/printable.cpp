#include "dspu/printable.hpp"

#include "dspu/utf8.hpp"

#include <cstdint>

namespace dspu::app {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

bool changes_direction(std::uint32_t c) {
  return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

bool is_control(std::uint32_t c) {
  constexpr std::uint32_t line_separator = 0x2028;
  constexpr std::uint32_t paragraph_separator = 0x2029;
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == line_separator || c == paragraph_separator ||
         changes_direction(c);
}

void append_hex(std::string& out, std::uint32_t value, int places) {
  for (int shift = 4 * (places - 1); shift >= 0; shift -= 4) out += digits[value >> shift & 15];
}

std::string escaped(std::string_view text, bool keep_line_feeds) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const utf8_character next = first_character(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (next.size == 0 || (byte < 0x80 && is_control(byte) && !(byte == '\n' && keep_line_feeds))) {
      out += "\\x";
      append_hex(out, byte, 2);
    } else if (byte >= 0x80 && is_control(next.code)) {
      out += "\\u";
      append_hex(out, next.code, 4);
    } else {
      out += text.substr(0, next.size);
    }
    text.remove_prefix(next.size == 0 ? 1 : next.size);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, true); }

std::string printable_line(std::string_view text) { return escaped(text, false); }

}  // namespace dspu::app
