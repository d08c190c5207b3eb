// How bad options and arguments are reported: std::invalid_argument naming the thing, its value and its range.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <string_view>

namespace dspu::core {

// Throws: std::invalid_argument("retry_options.max_attempts is 0; must be at least 1").
[[noreturn]] void reject(std::string_view name, double value, std::string_view range);
[[noreturn]] void reject(std::string_view name, std::int64_t value, std::string_view range);
[[noreturn]] void reject(std::string_view name, duration value, std::string_view range);

template <class T>
constexpr void require(bool holds, std::string_view name, T value, std::string_view range) {
  if (!holds) reject(name, value, range);
}

}  // namespace dspu::core
