// Writes whole lines to a file or a pipe, and says so when it cannot.
#pragma once

#include "dspu/file_descriptor.hpp"

#include <string>
#include <string_view>

namespace dspu::app {

// Pipes and devices have nothing to empty. `name` is for messages. Throws: io_error.
void empty_if_regular(int descriptor, const std::string& name);

class line_writer {
 public:
  // `name` is for messages. Requires: SIGPIPE is ignored, or a reader that goes away ends the process.
  line_writer(file_descriptor file, std::string name);

  // Standard output.
  static line_writer standard_output();
  // The file, made if absent; every write goes to its end. What it holds stays until empty(). Throws:
  // io_error.
  static line_writer append_to(const std::string& path);

  // Empties a regular file; anything else is left as it is. Throws: io_error.
  void empty();

  // Writes all of `lines`, in one piece as a rule. If that fails midway in a regular file, what was written
  // of them is taken back, so that no torn line stays. Blocks while a pipe is full. Throws: io_error.
  void write(std::string_view lines);

  // Returns once what was written is on the disk; at once if it is no regular file. Throws: io_error.
  void sync();

  bool regular() const { return regular_; }
  const std::string& name() const { return name_; }

 private:
  file_descriptor file_;
  std::string name_;
  bool regular_ = false;
};

}  // namespace dspu::app
