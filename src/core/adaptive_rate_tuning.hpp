// What both halves of adaptive_rate_machine go by.
#pragma once

#include "dspu/core/duration.hpp"

namespace dspu::core::tuning {

inline double seconds(duration d) { return std::chrono::duration<double>(d).count(); }

inline constexpr double margin = 0.97;      // of the rate: the pace between probes
inline constexpr double first_step = 0.03;  // of a probe, then twice as much each time
inline constexpr double first_window_step = 0.1;
inline constexpr double largest_step = 0.25;     // unless the rate has risen
inline constexpr double credit_per_call = 0.01;  // refusals for probes
inline constexpr double most_credit = 20;
inline constexpr double least_credit = -3;
inline constexpr double after_change = 4;       // credit
inline constexpr double shortest_pause = 1.5;   // s, between probes
inline constexpr double longest_pause = 3;      // s
inline constexpr double lowest_first_pace = 8;  // calls per second
inline constexpr duration shortest_stage = std::chrono::milliseconds{15};

}  // namespace dspu::core::tuning
