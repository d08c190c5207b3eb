// The two ways in which the program itself fails, as opposed to a request: each has an exit status.
#pragma once

#include <stdexcept>
#include <string>

namespace dspu::app {

// The command line or an input file is wrong: exit status 2.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Our own reading or writing failed (output, journal, disk): exit status 3.
class io_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "cannot write results.jsonl: No space left on device"
io_error io_failure(const std::string& what, int error_number);

}  // namespace dspu::app
