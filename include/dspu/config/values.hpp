// The values that people type into files and on command lines: durations, rates, sizes and ratios.
//
//   parse_duration("1m30s"); parse_rate("100/m,burst=20"); parse_size("64k"); parse_ratio("10%")
//
// Each function throws std::invalid_argument that quotes the text and says what is accepted. Thread-safety: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::config {

// "250ms", "1m30s", "1.5h"; units ns us ms s m h d, written without blanks. Only 0 may stand without a unit:
// a bare number means seconds to one tool and milliseconds to the next.
std::chrono::nanoseconds parse_duration(std::string_view text);

// The same in the largest unit that needs no fraction: "90s", "250ms". Requires: d >= 0.
std::string format_duration(std::chrono::nanoseconds d);

struct rate_spec {
  double amount = 0;  // over 0
  std::chrono::nanoseconds per = std::chrono::seconds(1);
  std::optional<double> burst;  // at least 1; without it the limiter's own default

  bool operator==(const rate_spec&) const = default;
};

// "20", "20/s", "100/m", "5/15s", "1000/h,burst=50". Without a unit the rate is per second.
rate_spec parse_rate(std::string_view text);

// Bytes: "4096", "64k", "1MiB", "10MB". As in dd, k, M, G and KiB, MiB, GiB are powers of 1024 and kB, MB, GB
// of 1000; capitals make no difference.
std::uint64_t parse_size(std::string_view text);

// A part of the whole: "10%" or "0.1"; 0 to 1.
double parse_ratio(std::string_view text);

}  // namespace dspu::config
