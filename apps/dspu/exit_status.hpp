// What the program's exit status says; README has the table.
#pragma once

namespace dspu::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;  // some request
inline constexpr int exit_usage = 2;   // the command line, or a line of input
inline constexpr int exit_io = 3;      // our own output, input, disk
inline constexpr int exit_stopped = 4;  // by --max-time or --max-failures

struct run_end {
  int signal = 0;        // that interrupted the run
  bool stopped = false;  // by --max-time or --max-failures
  bool wrong_input = false;
  bool failures = false;
};

// The gravest of what happened.
constexpr int exit_status_of(const run_end& end) {
  if (end.signal != 0) return 128 + end.signal;
  if (end.stopped) return exit_stopped;
  if (end.wrong_input) return exit_usage;
  return end.failures ? exit_failed : exit_ok;
}

}  // namespace dspu::app
