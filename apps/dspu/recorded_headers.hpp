// --include-headers: which headers of an answer stand in its result, and how.
#pragma once

#include "dspu/record.hpp"
#include "dspu/transport.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

struct header_filter {
  bool all = false;
  std::vector<std::string> names{};  // in small letters

  bool wants_any() const { return all || !names.empty(); }
};

// "X-Api-Key,X-Token". Throws: std::invalid_argument.
std::vector<std::string> parse_header_names(std::string_view text);

// "all", or a list of names. Throws: std::invalid_argument.
header_filter parse_header_filter(std::string_view text);

// Those of `headers` that the filter wants, each name once, in the order in which they came first.
std::vector<recorded_header> recorded(const header_list& headers, const header_filter& filter);

}  // namespace dspu::app
