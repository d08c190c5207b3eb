// What a run would do, for --dry-run.
#pragma once

#include "dspu/options.hpp"
#include "dspu/request_source.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace dspu::app {

class plan {
 public:
  void add(const input_item& item);

  const std::vector<std::string>& problems() const { return problems_; }
  // A line for each origin, those with most requests first, and what the limits make of it all.
  std::string to_text(const fetch_options& options) const;

 private:
  struct origin_plan {
    std::uint64_t requests = 0;
    std::map<std::string, std::uint64_t> methods;
  };

  std::map<std::string, origin_plan> origins_;
  std::uint64_t requests_ = 0;
  std::vector<std::string> problems_;
};

// How long `requests` take at least under `rate`.
std::chrono::nanoseconds least_time(std::uint64_t requests, const rate_spec& rate);

}  // namespace dspu::app
