#include "dspu/failure.hpp"

#include <system_error>

namespace dspu::app {

io_error io_failure(const std::string& what, int error_number) {
  return io_error(what + ": " + std::generic_category().message(error_number));
}

}  // namespace dspu::app
