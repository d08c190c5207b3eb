// What HTTP/1.1 allows in a request (RFC 9110, section 5). Input is checked against it when it is read, and
// once more before anything is sent.
#pragma once

#include <string_view>

namespace dspu::app {

// What methods and header names are made of: one or more letters, digits and !#$%&'*+-.^_`|~.
bool is_token(std::string_view text);

// What a header's value may hold: no control characters but tabs.
bool is_field_value(std::string_view text);

// Header names are compared without regard to case.
bool same_name(std::string_view a, std::string_view b);

}  // namespace dspu::app
