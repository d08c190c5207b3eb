// Numbers as people read them, for progress and summary.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace dspu::app {

// "830us", "12.5ms", "4.2s", "1m42s", "2h05m".
std::string format_duration(std::chrono::nanoseconds duration);

// "950", "12.4k", "3.1M".
std::string format_count(std::uint64_t count);

// "512 B", "48.2 MB".
std::string format_bytes(std::uint64_t bytes);

// "980/s", "0.4/s".
std::string format_rate(double per_second);

}  // namespace dspu::app
