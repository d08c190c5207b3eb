// How bad options and arguments are reported: std::invalid_argument naming the thing, its value and its range.
#pragma once

#include "dspu/core/duration.hpp"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace dspu::core {

// "retry.max_attempts is 0; must be at least 1", and its parts, for whoever knows where the value came from.
class option_error : public std::invalid_argument {
 public:
  option_error(std::string name, std::string value, std::string range);
  const std::string& name() const noexcept { return *name_; }
  const std::string& value() const noexcept { return *value_; }
  const std::string& range() const noexcept { return *range_; }

 private:
  // Shared, so that copying an error does not throw.
  std::shared_ptr<const std::string> name_;
  std::shared_ptr<const std::string> value_;
  std::shared_ptr<const std::string> range_;
};

// Throws: option_error.
[[noreturn]] void reject(std::string_view name, double value, std::string_view range);
[[noreturn]] void reject(std::string_view name, std::int64_t value, std::string_view range);
[[noreturn]] void reject(std::string_view name, duration value, std::string_view range);

template <class T>
constexpr void require(bool holds, std::string_view name, T value, std::string_view range) {
  if (!holds) reject(name, value, range);
}

}  // namespace dspu::core
