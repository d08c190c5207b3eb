#include "dspu/rate_headers.hpp"

#include "dspu/header_value.hpp"
#include "dspu/http_date.hpp"
#include "dspu/parse.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace dspu::app {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// Nobody's window is so long, and no clock that is set is so early (2001).
constexpr double first_epoch = 1e9;
constexpr double first_epoch_in_milliseconds = 1e12;

nanoseconds until_epoch(double when, sys_seconds server_now) {
  const double left = when - static_cast<double>(server_now.time_since_epoch().count());
  return left <= 0 ? nanoseconds::zero() : wait_of(left, seconds(1));
}

// "30", "0.35", "1700000030", "1700000030000", "6m0s", or a date.
std::optional<nanoseconds> read_reset(std::string_view text, sys_seconds server_now) {
  if (const auto number = parse_decimal(text)) {
    if (*number >= first_epoch_in_milliseconds) return until_epoch(*number / 1000, server_now);
    if (*number >= first_epoch) return until_epoch(*number, server_now);
    return wait_of(*number, seconds(1));
  }
  if (const auto until = parse_http_date(text, server_now))
    return until_epoch(static_cast<double>(until->time_since_epoch().count()), server_now);
  try {
    return std::min(parse_duration(text), longest_wait);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

struct names {
  std::string_view limit;
  std::string_view remaining;
  std::array<std::string_view, 2> resets;  // the first that is there
};

constexpr std::array<names, 4> dialects{
    {{"RateLimit-Limit", "RateLimit-Remaining", {"RateLimit-Reset", ""}},
     {"X-RateLimit-Limit", "X-RateLimit-Remaining", {"X-RateLimit-Reset-After", "X-RateLimit-Reset"}},
     {"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", {"X-Rate-Limit-Reset", ""}},
     {"X-RateLimit-Limit-Requests", "X-RateLimit-Remaining-Requests", {"X-RateLimit-Reset-Requests", ""}}}};

std::optional<double> number_in(const header_list& headers, std::string_view name) {
  const auto value = single_value(headers, name);
  if (!value) return std::nullopt;
  // "100, 100;w=60": the first is the limit in force (drafts 00 to 06).
  return parse_decimal(trim(value->substr(0, value->find_first_of(",;"))));
}

std::optional<rate_quota> read_three_headers(const names& of, const header_list& headers, sys_seconds server_now) {
  const auto remaining = number_in(headers, of.remaining);
  if (!remaining) return std::nullopt;
  rate_quota quota{.limit = number_in(headers, of.limit), .remaining = *remaining};
  for (const std::string_view name : of.resets) {
    const auto value = name.empty() ? std::nullopt : single_value(headers, name);
    if (value) quota.reset = read_reset(*value, server_now);
    if (quota.reset) break;
  }
  return quota;
}

// Takes what is before the next `separator` off the front of `rest`.
std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = trim(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return part;
}

// Sets what "remaining=50" or "r=50" says.
void read_member(std::string_view member, rate_quota& quota, bool& has_remaining, sys_seconds server_now) {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return;
  const std::string_view key = trim(member.substr(0, equals));
  const std::string_view value = trim(member.substr(equals + 1));
  if (key == "r" || key == "remaining") {
    const auto number = parse_decimal(value);
    if (number) quota.remaining = *number;
    has_remaining = number.has_value();
  } else if (key == "t" || key == "reset") {
    quota.reset = read_reset(value, server_now);
  } else if (key == "limit") {
    quota.limit = parse_decimal(value);
  }
}

bool is_tighter(const rate_quota& a, const rate_quota& b) {
  if (a.remaining != b.remaining) return a.remaining < b.remaining;
  return a.reset.value_or(nanoseconds::zero()) > b.reset.value_or(nanoseconds::zero());
}

// The one header of drafts 07 and later: one limit as a list of its three members, or a list of limits with parameters.
std::optional<rate_quota> read_one_header(const header_list& headers, sys_seconds server_now) {
  const auto value = single_value(headers, "RateLimit");
  if (!value) return std::nullopt;
  const bool has_parameters = value->find(';') != std::string_view::npos;
  std::optional<rate_quota> tightest;
  for (std::string_view rest = *value; !rest.empty();) {
    std::string_view item = has_parameters ? take_part(rest, ',') : std::exchange(rest, {});
    rate_quota quota;
    bool has_remaining = false;
    while (!item.empty())
      read_member(take_part(item, has_parameters ? ';' : ','), quota, has_remaining, server_now);
    if (has_remaining && (!tightest || is_tighter(quota, *tightest))) tightest = quota;
  }
  return tightest;
}

// Most answers have none of these headers, and each of them is looked at.
bool may_have_quota(const header_list& headers) {
  return std::ranges::any_of(headers, [](const auto& h) {
    const std::string_view name = h.first;
    return name.size() >= 9 && (name[0] == 'R' || name[0] == 'r' || name[0] == 'X' || name[0] == 'x') &&
           std::ranges::search(name, std::string_view("rate"), {}, [](char c) {
             return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
           }).size() > 0;
  });
}

}  // namespace

std::optional<rate_quota> rate_quota_of(const header_list& headers, std::chrono::system_clock::time_point now) {
  if (!may_have_quota(headers)) return std::nullopt;
  const sys_seconds server_now = server_time(headers, now);
  if (const auto quota = read_one_header(headers, server_now)) return quota;
  for (const names& of : dialects) {
    if (const auto quota = read_three_headers(of, headers, server_now)) return quota;
  }
  return std::nullopt;
}

}  // namespace dspu::app
