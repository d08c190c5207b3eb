// A program under test as a process of its own: started with its arguments, watched, and ended if
// it takes too long.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
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
  bool break_out = false;                // standard output is a pipe whose reader has gone
  int in_fd = -1;                        // open descriptor for standard input; else it is empty
  int out_fd = -1;                       // open descriptor for standard output
  int err_fd = -1;                       // open descriptor for standard error
  std::optional<rlim_t> largest_file{};  // bytes that a file may have, as on a full disk
};

// A pipe whose two ends close with it, unless they are closed before. It holds 4 KiB.
class small_pipe {
 public:
  small_pipe();
  ~small_pipe();
  small_pipe(const small_pipe&) = delete;
  small_pipe& operator=(const small_pipe&) = delete;

  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_read_end() { close(ends_[0]); }
  void close_write_end() { close(ends_[1]); }
  // Until all who write to it have closed it.
  std::string read_all() const;
  // Whether somebody waits until there is room for more.
  bool is_full() const;

 private:
  static void close(int& end);

  std::array<int, 2> ends_{-1, -1};
};

class process {
 public:
  // Runs argv[0] with its arguments. Throws: std::runtime_error if that is impossible.
  process(const std::vector<std::string>& argv, const process_options& options);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  // Kills it if it still runs.
  ~process();

  // The exit status, or 128 + the signal that ended it; nothing if it still ran when the time was
  // up.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void signal(int number);

 private:
  pid_t pid_ = -1;
};

}  // namespace dspu::faults
