// How recorded and replayed values are compared and printed.
#include "traces/replay.hpp"

#include <cmath>
#include <cstdio>

namespace dspu::traces {

namespace {

std::string printed(double v) {
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", v);
  return text;
}

}  // namespace

void comparison::same(std::string_view what, std::string_view expected, std::string_view actual) {
  if (expected == actual) return;
  mismatches_.push_back({std::string(what), std::string(expected), std::string(actual)});
}

void comparison::same(std::string_view what, std::int64_t expected, std::int64_t actual) {
  same(what, std::to_string(expected), std::to_string(actual));
}

void comparison::close(std::string_view what, double expected, double actual, double tolerance) {
  if (std::abs(expected - actual) <= tolerance) return;
  mismatches_.push_back({std::string(what), printed(expected), printed(actual)});
}

std::string place(std::string_view list, std::size_t index, std::string_view field) {
  return std::string(list) + "[" + std::to_string(index) + "]." + std::string(field);
}

std::chrono::nanoseconds seconds_of(const json::value& v) {
  return std::chrono::nanoseconds{std::llround(v.to_number<double>() * 1e9)};
}

double in_seconds(std::chrono::nanoseconds d) { return std::chrono::duration<double>(d).count(); }

}  // namespace dspu::traces
