#include "dspu/whole_file.hpp"

#include "dspu/failure.hpp"
#include "dspu/file_descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace dspu::app {

std::string whole_file(const std::string& name) {
  const bool standard = name == "-";
  const auto fail = [&](int error) {
    throw usage_error("cannot read " + (standard ? "standard input" : "'" + name + "'") + ": " +
                      std::generic_category().message(error));
  };
  const file_descriptor file(standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                      : ::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) fail(errno);
  std::string text;
  std::array<char, 64 * 1024> piece{};
  while (true) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count == 0) return text;
    if (count > 0) text.append(piece.data(), static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR) fail(errno);
  }
}

}  // namespace dspu::app
