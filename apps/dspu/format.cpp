#include "dspu/format.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace dspu::app {

namespace {

std::string print(const char* form, double value) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), form, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

// Three digits that mean something, as far as whole units need no more.
std::string digits(double value) {
  return print(value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
}

std::string two_digits(std::int64_t value) { return print("%02.0f", static_cast<double>(value)); }

}  // namespace

std::string format_duration(std::chrono::nanoseconds duration) {
  using namespace std::chrono;
  const double in_seconds = std::chrono::duration<double>(duration).count();
  if (in_seconds == 0) return "0s";
  if (in_seconds < 0.9995e-3) return digits(in_seconds * 1e6) + "us";
  if (in_seconds < 0.9995) return digits(in_seconds * 1e3) + "ms";
  if (in_seconds < 59.95) return print("%.1fs", in_seconds);
  const std::int64_t whole = round<seconds>(duration).count();
  if (whole < 3600) return std::to_string(whole / 60) + "m" + two_digits(whole % 60) + "s";
  return std::to_string(whole / 3600) + "h" + two_digits(whole % 3600 / 60) + "m";
}

std::string format_count(std::uint64_t count) {
  if (count < 10'000) return std::to_string(count);
  const auto value = static_cast<double>(count);
  if (count < 1'000'000) return print("%.1fk", value / 1e3);
  return print("%.2fM", value / 1e6);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  std::string_view unit = "B";
  for (const std::string_view next : {"kB", "MB", "GB", "TB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return digits(value) + " " + std::string(unit);
}

std::string format_rate(double per_second) {
  return print(per_second < 10 ? "%.1f" : "%.0f", per_second) + "/s";
}

}  // namespace dspu::app
