#include "dspu/header_value.hpp"

#include "dspu/http_date.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace dspu::app {

namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<std::string_view> single_value(const header_list& headers, std::string_view name) {
  std::optional<std::string_view> value;
  for (const auto& [key, text] : headers) {
    if (!same_letters(key, name)) continue;
    if (value && *value != trim(text)) return std::nullopt;
    value = trim(text);
  }
  return value;
}

std::optional<double> parse_decimal(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (!plain || text.empty() || text.front() == '.') return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return HUGE_VAL;
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

std::chrono::nanoseconds wait_of(double amount, std::chrono::nanoseconds unit) {
  const double whole = std::floor(amount);
  const double most = static_cast<double>(longest_wait / unit);
  if (!(whole < most)) return longest_wait;
  const double rest = (amount - whole) * static_cast<double>(unit.count());
  return static_cast<std::int64_t>(whole) * unit + std::chrono::nanoseconds(std::llround(rest));
}

std::chrono::sys_seconds server_time(const header_list& headers, std::chrono::system_clock::time_point now) {
  const auto ours = std::chrono::floor<std::chrono::seconds>(now);
  const auto date = single_value(headers, "Date");
  return date ? parse_http_date(*date, ours).value_or(ours) : ours;
}

}  // namespace dspu::app
