#include "dspu/json_member.hpp"

#include <algorithm>

namespace dspu::app {

namespace {

constexpr std::string_view blanks = " \t\r\n";

void skip_blanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
}

// Requires: a string is next.
std::string_view take_string(std::string_view& rest) {
  std::size_t end = 1;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  const std::string_view text = rest.substr(0, end + 1);
  rest.remove_prefix(text.size());
  return text;
}

void skip_nested(std::string_view& rest) {
  int depth = 0;
  do {
    const char c = rest.front();
    if (c == '"') {
      take_string(rest);
      continue;
    }
    depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
    rest.remove_prefix(1);
  } while (depth > 0 && !rest.empty());
}

std::string_view take_value(std::string_view& rest) {
  const std::string_view before = rest;
  if (rest.starts_with('"')) {
    take_string(rest);
  } else if (rest.starts_with('{') || rest.starts_with('[')) {
    skip_nested(rest);
  } else {  // a number or a word
    rest.remove_prefix(std::min(rest.find_first_of(",}] \t\r\n"), rest.size()));
  }
  return before.substr(0, before.size() - rest.size());
}

}  // namespace

std::optional<std::string_view> member_text(std::string_view object, std::string_view name) {
  std::optional<std::string_view> found;
  std::string_view rest = object;
  skip_blanks(rest);
  while (!rest.empty() && rest.front() != '}') {
    rest.remove_prefix(1);  // the brace, or a comma
    skip_blanks(rest);
    if (!rest.starts_with('"')) break;
    const std::string_view key = take_string(rest);
    skip_blanks(rest);
    rest.remove_prefix(std::min<std::size_t>(1, rest.size()));  // the colon
    skip_blanks(rest);
    const std::string_view value = take_value(rest);
    if (key.size() == name.size() + 2 && key.substr(1, name.size()) == name) found = value;
    skip_blanks(rest);
  }
  return found;
}

}  // namespace dspu::app
