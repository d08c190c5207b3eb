// Retry-After in all its forms and the headers of rate limits, together with the Date that they are measured against.
//
// Input: four bytes that choose the local time, then header lines.
#include "dspu/core/duration.hpp"
#include "dspu/header_value.hpp"
#include "dspu/http_date.hpp"
#include "dspu/rate_headers.hpp"
#include "dspu/retry_after.hpp"
#include "dspu/serve_answer.hpp"
#include "fuzz/claim.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace {

using namespace dspu::app;
using dspu::fuzz::chooser;
using dspu::fuzz::claim;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr seconds a_century = std::chrono::hours(24 * 365 * 100);

// From 1970 to 2106.
sys_seconds read_now(chooser& input) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | input.byte();
  return sys_seconds(seconds(value));
}

header_list read_headers(chooser& input) {
  header_list headers;
  while (!input.rest().empty()) {
    const std::string_view line = input.until('\n');
    const std::size_t colon = line.find(':');
    const std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    headers.emplace_back(line.substr(0, colon), value);
  }
  return headers;
}

// Counts decimal digits with no care for overflow but its own.
seconds counted(std::string_view digits) {
  __int128 value = 0;
  for (const char c : digits) value = std::min<__int128>(value * 10 + (c - '0'), a_century.count());
  return seconds(static_cast<std::int64_t>(value));
}

// The C library's own reading of a date in the form that is preferred today.
void check_against_libc(const std::string& text, sys_seconds read) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return;
  claim(sys_seconds(seconds(::timegm(&parts))) == read, "a date means what the C library says", text);
}

void check_date(const std::string& text, sys_seconds now) {
  const auto date = parse_http_date(text, now);
  if (!date) return;
  check_against_libc(text, *date);
  // What http_date() takes are nanoseconds, which end in 2262.
  const sys_seconds first{std::chrono::sys_days(std::chrono::year(1700) / 1 / 1)};
  const sys_seconds last{std::chrono::sys_days(std::chrono::year(2262) / 1 / 1)};
  if (*date < first || *date > last) return;
  claim(parse_http_date(http_date(*date), now) == date, "parse(format(x)) == x", text);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Exactly one line, and a number: then there is no doubt about what it means.
void check_number(const header_list& headers, std::optional<std::chrono::nanoseconds> wait) {
  if (headers.size() != 1 || headers[0].first != "Retry-After" || !is_number(trim(headers[0].second))) return;
  claim(wait == counted(trim(headers[0].second)), "a number of seconds is that number, to a century",
        headers[0].second);
}

void check_wait(const header_list& headers, sys_seconds now) {
  const auto wait = retry_after(headers, now);
  check_number(headers, wait);
  if (!wait) return;
  const std::string shown(find_header(headers, "Retry-After"));
  claim(*wait >= seconds::zero() && *wait <= a_century, "a wait is from 0 to a century", shown);
  const dspu::core::instant at{std::chrono::hours(24 * 365)};
  claim(dspu::core::add_saturating(at, *wait) >= at, "a wait can be added to an instant", shown);
  // A wrong clock of ours does no harm where the server says what time it has. (Years of two digits are read
  // by ours.)
  const std::string date(find_header(headers, "Date"));
  const bool short_year = shown.find('-') != std::string::npos || date.find('-') != std::string::npos;
  const bool one_date =
      std::ranges::count_if(headers, [](const auto& h) { return h.first.size() == 4; }) == 1;
  if (short_year || !one_date || !parse_http_date(date, now)) return;
  claim(retry_after(headers, now + std::chrono::hours(12345)) == wait, "Date stands in for our clock", shown);
}

void check_quota(const header_list& headers, sys_seconds now) {
  const auto quota = rate_quota_of(headers, now);
  if (!quota) return;
  claim(quota->remaining >= 0, "what is left is not negative", std::to_string(quota->remaining));
  claim(!quota->limit || *quota->limit >= 0, "a limit is not negative", std::to_string(quota->limit.value_or(0)));
  const auto reset = quota->reset.value_or(seconds::zero());
  claim(reset >= seconds::zero() && reset <= a_century, "a reset is within a century", std::to_string(reset.count()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser input(std::string_view(reinterpret_cast<const char*>(data), size));
  const sys_seconds now = read_now(input);
  const header_list headers = read_headers(input);
  for (const auto& [name, value] : headers) check_date(std::string(trim(value)), now);
  check_wait(headers, now);
  check_quota(headers, now);
  return 0;
}
