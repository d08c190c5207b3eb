#include "dspu/console.hpp"

#include "dspu/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace dspu::app {

namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool colour_is_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return no_colour == nullptr || *no_colour == '\0';
}

}  // namespace

console::console() : terminal_(::isatty(STDERR_FILENO) == 1), colour_(terminal_ && colour_is_wanted()) {}

void console::put(const std::string& text) const {
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, text.data(), text.size());
}

void console::live(const std::string& line) {
  live_ = cut_to_width(line, terminal_columns() - 1);
  put(std::string(erase_line) + live_);
}

void console::clear() {
  if (live_.empty()) return;
  live_.clear();
  put(std::string(erase_line));
}

void console::print(const std::string& lines) {
  put(live_.empty() ? lines : std::string(erase_line) + lines + live_);
}

}  // namespace dspu::app
