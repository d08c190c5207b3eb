#include "dspu/core/check.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

namespace dspu::core {

namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view range) {
  std::string text{name};
  text.append(" is ").append(value).append("; must be ").append(range);
  throw std::invalid_argument(text);
}

std::string shortest(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.15g", value);
  return buffer;
}

}  // namespace

void reject(std::string_view name, double value, std::string_view range) { refuse(name, shortest(value), range); }

void reject(std::string_view name, std::int64_t value, std::string_view range) {
  refuse(name, std::to_string(value), range);
}

void reject(std::string_view name, duration value, std::string_view range) {
  refuse(name, shortest(std::chrono::duration<double>(value).count()) + " s", range);
}

}  // namespace dspu::core
