#include "dspu/secret_headers.hpp"

#include "dspu/failure.hpp"
#include "dspu/request_line.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace dspu::app {

namespace {

bool is_name_letter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Takes the name of a variable from behind its $.
std::string take_name(std::string_view& rest) {
  const bool braces = rest.starts_with('{');
  if (braces) rest.remove_prefix(1);
  const auto* const end = std::ranges::find_if_not(rest, is_name_letter);
  std::string name(rest.begin(), end);
  rest.remove_prefix(name.size());
  const bool closed = !braces || rest.starts_with('}');
  if (name.empty() || !closed)
    throw usage_error(
        "--header-env: a $ must be followed by the name of a variable, as in $TOKEN or ${TOKEN}");
  if (braces) rest.remove_prefix(1);
  return name;
}

}  // namespace

header_list read_header_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw usage_error("--header: cannot read '" + path + "'");
  header_list headers;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == line.npos || line.starts_with('#')) continue;
    try {
      headers.push_back(parse_header(line));
    } catch (const std::invalid_argument& error) {
      throw usage_error("--header: " + path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (file.bad()) throw usage_error("--header: cannot read '" + path + "'");
  return headers;
}

std::pair<std::string, std::string> expand_header(std::string_view text,
                                                  const environment_lookup& environment) {
  std::string header;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t dollar = rest.find('$');
    header += rest.substr(0, dollar);
    if (dollar == rest.npos) break;
    rest.remove_prefix(dollar + 1);
    if (rest.starts_with('$')) {
      header += '$';
      rest.remove_prefix(1);
      continue;
    }
    const std::string name = take_name(rest);
    const char* value = environment(name);
    if (value == nullptr) throw usage_error("--header-env: the variable " + name + " is not set");
    header += value;
  }
  try {
    return parse_header(header);
  } catch (const std::invalid_argument& error) {
    throw usage_error(std::string("--header-env: ") + error.what());
  }
}

}  // namespace dspu::app
