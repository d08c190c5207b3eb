// What a Retry-After header asks for, as a time to wait from now.
#pragma once

#include "dspu/transport.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace dspu::app {

// An HTTP-date in any of the three forms of RFC 9110 section 5.6.7. A two-digit year is the one nearest to
// `now` that is not more than 50 years ahead.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text, std::chrono::sys_seconds now);

// The wait that the response asks for: whole seconds, or a date measured against the response's own Date
// header, so that a wrong clock on either side does no harm; `now` stands in for a Date that is absent or
// unreadable. A date that has passed is a wait of 0. What is negative or unreadable, or given twice with
// different values, is no request at all. A value too large to count saturates.
std::optional<std::chrono::seconds> retry_after(const header_list& headers,
                                                std::chrono::system_clock::time_point now);

}  // namespace dspu::app
