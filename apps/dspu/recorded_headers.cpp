#include "dspu/recorded_headers.hpp"

#include "dspu/http_syntax.hpp"

#include <algorithm>
#include <stdexcept>

namespace dspu::app {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

std::vector<std::string> parse_header_names(std::string_view text) {
  std::vector<std::string> names;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    if (!is_token(name))
      throw std::invalid_argument("'" + std::string(text) +
                                  "' is not a list of header names such as X-Api-Key,X-Token");
    names.emplace_back(name);
    if (comma == rest.npos) return names;
    rest.remove_prefix(comma + 1);
  }
}

header_filter parse_header_filter(std::string_view text) {
  header_filter filter;
  filter.all = text == "all";
  if (filter.all) return filter;
  for (const std::string& name : parse_header_names(text)) filter.names.push_back(lower(name));
  return filter;
}

std::vector<recorded_header> recorded(const header_list& headers, const header_filter& filter) {
  std::vector<recorded_header> found;
  if (!filter.wants_any()) return found;
  for (const auto& [name, value] : headers) {
    std::string small = lower(name);
    if (!filter.all && std::ranges::find(filter.names, small) == filter.names.end()) continue;
    auto known = std::ranges::find(found, small, &recorded_header::name);
    if (known == found.end()) known = found.insert(found.end(), {std::move(small), {}});
    known->values.push_back(value);
  }
  return found;
}

}  // namespace dspu::app
