#include "dspu/core/check.hpp"

#include <cstdio>
#include <utility>

namespace dspu::core {

namespace {

[[noreturn]] void refuse(std::string_view name, std::string value, std::string_view range) {
  throw option_error(std::string(name), std::move(value), std::string(range));
}

std::string shortest(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.15g", value);
  return buffer;
}

}  // namespace

option_error::option_error(std::string name, std::string value, std::string range)
    : std::invalid_argument(name + " is " + value + "; must be " + range),
      name_(std::make_shared<const std::string>(std::move(name))),
      value_(std::make_shared<const std::string>(std::move(value))),
      range_(std::make_shared<const std::string>(std::move(range))) {}

void reject(std::string_view name, double value, std::string_view range) { refuse(name, shortest(value), range); }

void reject(std::string_view name, std::int64_t value, std::string_view range) {
  refuse(name, std::to_string(value), range);
}

void reject(std::string_view name, duration value, std::string_view range) {
  refuse(name, shortest(std::chrono::duration<double>(value).count()) + " s", range);
}

}  // namespace dspu::core
