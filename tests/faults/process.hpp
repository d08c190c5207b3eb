// A program under test as a process of its own: started with its arguments, watched, and ended if it takes
// too long.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace dspu::faults {

struct process_options {
  std::string out{};                     // file for standard output
  std::string err{};                     // file for standard error
  bool close_out = false;                // standard output is closed instead
  bool close_err = false;                // standard error is closed instead
  bool break_out = false;                // standard output is a pipe that nobody reads
  std::optional<rlim_t> largest_file{};  // bytes that a file may have, as on a full disk
};

class process {
 public:
  // Runs argv[0] with its arguments. Throws: std::runtime_error if that is impossible.
  process(const std::vector<std::string>& argv, const process_options& options);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  // Kills it if it still runs.
  ~process();

  // The exit status, or 128 + the signal that ended it; nothing if it still ran when the time was up.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void signal(int number);

 private:
  pid_t pid_ = -1;
};

}  // namespace dspu::faults
