// Header fields (RFC 9110, section 5), and what HTTP/1.1 allows in a request: input is checked against it
// when it is read, and once more before anything is sent.
#pragma once

#include <cstddef>
#include <string_view>

namespace dspu::app {

// `text` without blanks and tabs around it.
std::string_view trimmed(std::string_view text);

// Calls function(std::string_view) for what stands between the commas of a header's value, trimmed; it may be
// empty.
template <class Function>
void for_each_element(std::string_view list, Function function) {
  while (true) {
    const std::size_t comma = list.find(',');
    function(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// What methods and header names are made of: one or more letters, digits and !#$%&'*+-.^_`|~.
bool is_token(std::string_view text);

// What a header's value may hold: no control characters but tabs.
bool is_field_value(std::string_view text);

// Header names are compared without regard to case.
bool same_name(std::string_view a, std::string_view b);

}  // namespace dspu::app
