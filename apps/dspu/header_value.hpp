// Reads values of response headers whose sender may be careless or hostile.
#pragma once

#include "dspu/transport.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace dspu::app {

// Far beyond any limit that a person sets, and far from overflow when it is added to an instant.
inline constexpr std::chrono::nanoseconds longest_wait = std::chrono::hours(24 * 365 * 100);

// Without blanks and tabs at both ends.
std::string_view trim(std::string_view text);

// The value of `name`, compared without case and trimmed. Nothing if it is absent, or given twice with
// different values.
std::optional<std::string_view> single_value(const header_list& headers, std::string_view name);

// "7", "0.493": digits, and a fraction if there is one. No sign, no exponent.
std::optional<double> parse_decimal(std::string_view text);

// `amount` units of time, up to longest_wait. Requires: amount >= 0. Exact for whole seconds.
std::chrono::nanoseconds wait_of(double amount, std::chrono::nanoseconds unit);

// What the server takes for now: its Date header, so that a wrong clock on either side does no harm; `now`
// where that is absent or unreadable.
std::chrono::sys_seconds server_time(const header_list& headers, std::chrono::system_clock::time_point now);

}  // namespace dspu::app
