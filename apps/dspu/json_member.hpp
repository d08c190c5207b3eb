// The text of a member of a JSON object, letter by letter. Reading and writing it would change numbers:
// Boost.JSON knows none with more than 64 bits, and writes 0.1 as 1E-1.
#pragma once

#include <optional>
#include <string_view>

namespace dspu::app {

// The value of the last member called `name`, without blanks around it; nothing if there is none. `name` is
// compared as it is written: a key with escapes is not found. Requires: `object` is a JSON object, which a
// parser has accepted.
std::optional<std::string_view> member_text(std::string_view object, std::string_view name);

}  // namespace dspu::app
