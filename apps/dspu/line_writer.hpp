// Writes whole lines to a file or a pipe, and says so when it cannot.
#pragma once

#include "dspu/file_descriptor.hpp"

#include <string>
#include <string_view>

namespace dspu::app {

class line_writer {
 public:
  // `name` is for messages. Requires: SIGPIPE is ignored, or a reader that goes away ends the process.
  line_writer(file_descriptor file, std::string name);

  // Standard output.
  static line_writer standard_output();
  // The file, made if absent and emptied if not; every write goes to its end.
  static line_writer truncate(const std::string& path);

  // Writes all of `lines`, in one piece as a rule. If that fails midway in a regular file, what was written
  // of them is taken back, so that no torn line stays. Blocks while a pipe is full. Throws: io_error.
  void write(std::string_view lines);

  bool regular() const { return regular_; }
  const std::string& name() const { return name_; }

 private:
  file_descriptor file_;
  std::string name_;
  bool regular_ = false;
};

}  // namespace dspu::app
