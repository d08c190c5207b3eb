#include "dspu/config/values.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace dspu::config {

namespace {

constexpr std::string_view duration_form =
    "a duration such as 250ms, 30s or 1m30s (units ns, us, ms, s, m, h, d)";
constexpr std::string_view rate_form =
    "a rate over 0 such as 20/s, 100/m, 5/15s or 1000/h,burst=50 (burst at least 1)";
constexpr std::string_view size_form = "a size in bytes such as 4096, 64k, 1MiB or 10MB";
constexpr std::string_view ratio_form = "a ratio from 0 to 1, such as 0.1 or 10%";

[[noreturn]] void refuse(std::string_view text, std::string_view form) {
  throw std::invalid_argument("'" + std::string(text) + "' is not " + std::string(form));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Takes a plain decimal number off the front of `rest`: digits first, so no sign, no "inf", no "nan".
std::optional<double> take_number(std::string_view& rest) {
  if (rest.empty() || !is_digit(rest.front())) return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return value;
}

// Takes the letters off the front of `rest`.
std::string_view take_word(std::string_view& rest) {
  std::size_t size = 0;
  while (size < rest.size() && lower(rest[size]) >= 'a' && lower(rest[size]) <= 'z') ++size;
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(size);
  return word;
}

std::optional<double> unit_in_nanoseconds(std::string_view unit) {
  struct entry {
    std::string_view name;
    double nanoseconds;
  };
  static constexpr std::array<entry, 7> units{
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
  for (const entry& e : units) {
    if (e.name == unit) return e.nanoseconds;
  }
  return std::nullopt;
}

// Rounds to a whole number below 2^63, or says that there is none.
std::optional<std::int64_t> to_int64(double value) {
  if (!(value >= 0 && value < 9223372036854775808.0)) return std::nullopt;
  return std::llround(value);
}

std::optional<std::chrono::nanoseconds> read_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds::zero();
  if (text.empty()) return std::nullopt;
  double total = 0;
  double last_unit = std::numeric_limits<double>::infinity();
  for (std::string_view rest = text; !rest.empty();) {
    const auto amount = take_number(rest);
    const auto unit = unit_in_nanoseconds(take_word(rest));
    // Each unit is smaller than the one before, so "30s1m" and "1s1s" are slips and not sums.
    if (!amount || !unit || *unit >= last_unit) return std::nullopt;
    total += *amount * *unit;
    last_unit = *unit;
  }
  const auto nanoseconds = to_int64(total);
  if (!nanoseconds) return std::nullopt;
  return std::chrono::nanoseconds(*nanoseconds);
}

// What follows the slash: "s", "15s", "1m30s".
std::optional<std::chrono::nanoseconds> read_period(std::string_view text) {
  if (const auto unit = unit_in_nanoseconds(text)) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(*unit));
  }
  const auto period = read_duration(text);
  if (!period || period->count() == 0) return std::nullopt;
  return period;
}

// The whole of `text` as one number.
std::optional<double> read_number(std::string_view text) {
  const auto value = take_number(text);
  return text.empty() ? value : std::nullopt;
}

std::optional<rate_spec> read_rate(std::string_view text) {
  rate_spec spec;
  const std::size_t comma = text.find(',');
  std::string_view rate = text.substr(0, comma);
  if (comma != std::string_view::npos) {
    constexpr std::string_view key = "burst=";
    const std::string_view extra = text.substr(comma + 1);
    if (!extra.starts_with(key)) return std::nullopt;
    spec.burst = read_number(extra.substr(key.size()));
    if (!spec.burst || *spec.burst < 1) return std::nullopt;
  }
  if (const std::size_t slash = rate.find('/'); slash != std::string_view::npos) {
    const auto per = read_period(rate.substr(slash + 1));
    if (!per) return std::nullopt;
    spec.per = *per;
    rate = rate.substr(0, slash);
  }
  const auto amount = read_number(rate);
  if (!amount || *amount <= 0) return std::nullopt;
  spec.amount = *amount;
  return spec;
}

std::optional<double> unit_in_bytes(std::string_view unit) {
  std::string name;
  for (const char c : unit) name.push_back(lower(c));
  if (name.empty() || name == "b") return 1;
  static constexpr std::string_view prefixes = "kmgt";
  const std::size_t power = prefixes.find(name.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view tail = std::string_view(name).substr(1);
  const auto exponent = static_cast<double>(power + 1);
  if (tail.empty() || tail == "i" || tail == "ib") return std::pow(1024.0, exponent);
  if (tail == "b") return std::pow(1000.0, exponent);
  return std::nullopt;
}

}  // namespace

std::chrono::nanoseconds parse_duration(std::string_view text) {
  const auto duration = read_duration(text);
  if (!duration) refuse(text, duration_form);
  return *duration;
}

rate_spec parse_rate(std::string_view text) {
  const auto rate = read_rate(text);
  if (!rate) refuse(text, rate_form);
  return *rate;
}

std::uint64_t parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto amount = take_number(rest);
  const auto unit = unit_in_bytes(rest);
  if (!amount || !unit) refuse(text, size_form);
  const auto bytes = to_int64(*amount * *unit);
  if (!bytes) refuse(text, size_form);
  return static_cast<std::uint64_t>(*bytes);
}

std::string format_duration(std::chrono::nanoseconds d) {
  struct unit {
    std::int64_t nanoseconds;
    const char* name;
  };
  static constexpr std::array<unit, 6> units{
      {{3'600'000'000'000, "h"}, {60'000'000'000, "m"}, {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}}};
  if (d.count() == 0) return "0s";
  for (const unit& u : units) {
    if (d.count() % u.nanoseconds == 0) return std::to_string(d.count() / u.nanoseconds) + u.name;
  }
  return {};
}

double parse_ratio(std::string_view text) {
  const bool percent = text.ends_with('%');
  const auto number = read_number(percent ? text.substr(0, text.size() - 1) : text);
  if (!number) refuse(text, ratio_form);
  const double ratio = percent ? *number / 100 : *number;
  if (ratio > 1) refuse(text, ratio_form);
  return ratio;
}

}  // namespace dspu::config
