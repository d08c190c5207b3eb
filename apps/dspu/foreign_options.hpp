// What `dspu fetch` has for options of curl, wget2 and aria2.
#pragma once

#include <span>
#include <string_view>

namespace dspu::app {

struct foreign_option {
  std::string_view name;  // "--parallel-max"
  std::string_view hint;  // "-j N"
};

std::span<const foreign_option> foreign_options();

// Empty for an option that is not known from elsewhere.
std::string_view hint_for(std::string_view option);

}  // namespace dspu::app
