// The line that says how far a run is.
#pragma once

#include "dspu/request_flow.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace dspu::app {

struct progress_view {
  flow_counts counts{};
  std::optional<std::uint64_t> expected = std::nullopt;
  bool expected_is_exact = false;
  std::size_t in_flight = 0;
  origin_census origins{};
  double rate = 0;  // results a second
  std::chrono::nanoseconds elapsed{};
  bool stopping = false;
};

// "812/2000 40%  ok 800  failed 12  retried 31  in flight 50  240/s  rate-limited 1  held 1  open 0 ETA 5.0s"
std::string progress_line(const progress_view& view, bool colour);

// Results a second, over about the last ten seconds.
class rate_meter {
 public:
  double update(std::uint64_t done, std::chrono::nanoseconds elapsed);

 private:
  std::uint64_t done_ = 0;
  std::chrono::nanoseconds at_{};
  std::optional<double> rate_;
};

// `line` without what does not fit into `columns`; colour codes take none.
std::string cut_to_width(const std::string& line, std::size_t columns);

}  // namespace dspu::app
