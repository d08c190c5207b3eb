#include "dspu/retry_after.hpp"

#include "dspu/header_value.hpp"
#include "dspu/http_date.hpp"
#include "dspu/parse.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace dspu::app {

namespace {

using std::chrono::nanoseconds;
using reader = std::optional<nanoseconds> (*)(std::string_view value, std::chrono::sys_seconds server_now);

std::optional<nanoseconds> read_milliseconds(std::string_view value, std::chrono::sys_seconds) {
  const auto amount = parse_decimal(value);
  if (!amount) return std::nullopt;
  return wait_of(*amount, std::chrono::milliseconds(1));
}

// "1m0s"
std::optional<nanoseconds> read_go_duration(std::string_view value) {
  try {
    return std::min(parse_duration(value), longest_wait);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

std::optional<nanoseconds> read_seconds_or_date(std::string_view value, std::chrono::sys_seconds server_now) {
  if (const auto amount = parse_decimal(value)) return wait_of(*amount, std::chrono::seconds(1));
  if (const auto until = parse_http_date(value, server_now)) {
    constexpr auto longest = std::chrono::floor<std::chrono::seconds>(longest_wait);
    return std::clamp(*until - server_now, std::chrono::seconds::zero(), longest);
  }
  return read_go_duration(value);
}

struct dialect {
  std::string_view header;
  reader read;
};

constexpr std::array<dialect, 3> dialects{{{"Retry-After-Ms", read_milliseconds},
                                           {"X-Ms-Retry-After-Ms", read_milliseconds},
                                           {"Retry-After", read_seconds_or_date}}};

}  // namespace

std::optional<nanoseconds> retry_after(const header_list& headers,
                                       std::chrono::system_clock::time_point now) {
  for (const dialect& d : dialects) {
    const auto value = single_value(headers, d.header);
    if (!value) continue;
    if (const auto wait = d.read(*value, server_time(headers, now))) return wait;
  }
  return std::nullopt;
}

}  // namespace dspu::app
