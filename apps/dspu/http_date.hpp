// Dates as HTTP writes them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace dspu::app {

// An HTTP-date in any of the three forms of RFC 9110 section 5.6.7. A two-digit year is the one nearest to
// `now` that is not more than 50 years ahead.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text, std::chrono::sys_seconds now);

}  // namespace dspu::app
