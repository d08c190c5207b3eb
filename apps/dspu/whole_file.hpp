// A file read whole.
#pragma once

#include <string>

namespace dspu::app {

// What is in the file; "-" is standard input, to its end. Blocks. Throws: usage_error naming the
// file.
std::string whole_file(const std::string& name);

}  // namespace dspu::app
