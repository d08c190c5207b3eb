// What somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dspu::config {

// `; did you mean "timeout"?`, or, if nothing is near, `; there are: a, b, c`.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace dspu::config
