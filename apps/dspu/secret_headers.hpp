// Headers whose values are not on the command line, where everybody on the machine can read them.
#pragma once

#include "dspu/transport.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace dspu::app {

// Of a file with a header a line, 'Name: value'; blank lines and what follows a # at the beginning of a line
// do not count. Read to its end, so that it may be a pipe. Throws: usage_error naming file and line, without
// the value.
header_list read_header_file(const std::string& path);

// Returns a variable's value, or null.
using environment_lookup = std::function<const char*(const std::string& name)>;

// "Authorization: Bearer $TOKEN": $NAME and ${NAME} stand for the value of a variable of the environment, $$
// for a $. Throws: usage_error, also if a variable is not set.
std::pair<std::string, std::string> expand_header(std::string_view text,
                                                  const environment_lookup& environment);

}  // namespace dspu::app
