#include "dspu/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace dspu::app {

void take_closed_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // open() gives the lowest free number, which is this one: those below are open by now.
    const int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int taken = ::open("/dev/null", wrong_way);
  }
}

}  // namespace dspu::app
