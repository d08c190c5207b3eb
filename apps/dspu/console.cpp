#include "dspu/console.hpp"

#include "dspu/printable.hpp"
#include "dspu/progress.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace dspu::app {

namespace {

constexpr std::string_view erase_line = "\r\x1b[K";
constexpr std::size_t most_queued = 1024 * 1024;

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool colour_is_wanted() {
  const char* no_colour =
      std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return no_colour == nullptr || *no_colour == '\0';
}

}  // namespace

console::console()
    : terminal_(::isatty(STDERR_FILENO) == 1),
      colour_(terminal_ && colour_is_wanted()),
      queue_(file_descriptor(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0))) {}

console::~console() {
  clear();
  finish();
}

void console::live(const std::string& line) {
  if (queue_.size() > 0) return;
  live_ = cut_to_width(line, terminal_columns() - 1);
  keep(std::string(erase_line) + live_);
}

std::string console::clear() {
  if (!live_.empty()) keep(std::string(erase_line));
  return std::exchange(live_, {});
}

void console::say(std::string_view message) { print(printable_line(message) + "\n"); }

void console::print(std::string_view lines) {
  const std::string text = printable(lines);
  keep(live_.empty() ? text : std::string(erase_line) + text + live_);
}

void console::keep(const std::string& text) {
  if (queue_.size() > most_queued) {
    ++lost_;
    return;
  }
  if (lost_ > 0) tell_of_lost();
  [[maybe_unused]] const int ignored = queue_.write(text);
}

void console::tell_of_lost() {
  const std::string count = std::to_string(std::exchange(lost_, 0));
  const std::string text =
      "dspu: " + count + " messages were dropped, as standard error did not take them\n";
  [[maybe_unused]] const int ignored = queue_.write(text);
}

void console::attach(const boost::asio::any_io_executor& executor) {
  queue_.attach(executor, [](int) {});
}

void console::finish(const patience& limit) {
  if (lost_ > 0) tell_of_lost();
  [[maybe_unused]] const int ignored = queue_.finish(limit);
}

}  // namespace dspu::app
