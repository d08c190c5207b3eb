#include "dspu/json_writer.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

namespace dspu::app {

namespace {

constexpr unsigned char c1_lead = 0xc2;  // in UTF-8, of the controls U+0080 to U+009F, among others

// What stands behind the backslash; 0 for characters that stand for themselves. A terminal obeys DEL and the C1
// controls, so that they are escaped too, though JSON allows them.
constexpr auto escapes = [] {
  std::array<char, 256> table{};
  std::fill_n(table.begin(), 0x20, 'u');
  table[0x7f] = 'u';
  table[c1_lead] = 'u';  // depending on what follows
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

// Without a branch for each character.
bool has_escapes(std::string_view text) {
  unsigned found = 0;
  for (const char c : text) found |= static_cast<unsigned char>(escapes[static_cast<unsigned char>(c)]);
  return found != 0;
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::size_t begun = 0;  // of what stands for itself
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto code = static_cast<unsigned char>(text[i]);
    const char escape = escapes[code];
    if (escape == '\0') continue;
    const std::size_t begin = i;
    if (code == c1_lead) {
      code = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
      if (code < 0x80 || code >= 0xa0) continue;
      ++i;
    }
    out.append(text.substr(begun, begin - begun)).append({'\\', escape});
    if (escape == 'u') out.append({'0', '0', digits[code >> 4], digits[code & 15]});
    begun = i + 1;
  }
  out.append(text.substr(begun));
}

constexpr std::size_t most_digits = 20;  // of 64 bits

}  // namespace

void json_writer::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

void json_writer::begin_object() {
  separate();
  out_ += '{';
  needs_comma_ = false;
}

void json_writer::end_object() {
  out_ += '}';
  needs_comma_ = true;
}

void json_writer::begin_array() {
  separate();
  out_ += '[';
  needs_comma_ = false;
}

void json_writer::end_array() {
  out_ += ']';
  needs_comma_ = true;
}

// In one piece: an append for each part is what a short member costs.
void json_writer::key(std::string_view name) {
  assert(name.size() <= longest_key);
  std::array<char, longest_key + 4> text;
  char* end = text.data();
  if (needs_comma_) *end++ = ',';
  *end++ = '"';
  end = std::ranges::copy(name.substr(0, longest_key), end).out;
  *end++ = '"';
  *end++ = ':';
  out_.append(text.data(), end);
  needs_comma_ = false;
}

void json_writer::value(std::string_view text) {
  separate();
  out_ += '"';
  if (has_escapes(text))
    append_escaped(out_, text);
  else
    out_ += text;
  out_ += '"';
}

void json_writer::key_to_escape(std::string_view name) {
  value(name);
  out_ += ':';
  needs_comma_ = false;
}

void json_writer::text(std::string_view json) {
  separate();
  out_ += json;
}

void json_writer::value(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
}

void json_writer::null() {
  separate();
  out_ += "null";
}

void json_writer::integer(std::uint64_t number) {
  separate();
  std::array<char, most_digits> text;
  out_.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

void json_writer::value(double number) {
  separate();
  std::array<char, 32> text;
  out_.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr);
}

// By whole numbers: half of a result line is times, and printing a double takes ten times as long.
void json_writer::milliseconds(std::chrono::nanoseconds duration) {
  separate();
  const auto rounded = std::max(duration, std::chrono::nanoseconds::zero()) + std::chrono::nanoseconds(500);
  const auto microseconds = static_cast<std::uint64_t>(rounded.count() / 1000);
  std::array<char, most_digits + 4> text;
  char* end = std::to_chars(text.data(), text.data() + text.size(), microseconds / 1000).ptr;
  auto part = static_cast<unsigned>(microseconds % 1000);
  if (part != 0) *end++ = '.';
  for (unsigned unit = 100; part > 0; part %= unit, unit /= 10) *end++ = static_cast<char>('0' + part / unit);
  out_.append(text.data(), end);
}

}  // namespace dspu::app
