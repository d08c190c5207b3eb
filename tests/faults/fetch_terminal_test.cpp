// `dspu fetch` on a terminal: results, messages and the live line share the screen, and nothing
// that comes from outside gives the terminal orders.
#include "app/temporary_directory.hpp"
#include "faults/hostile_server.hpp"
#include "faults/process.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace dspu::faults {
namespace {

using namespace std::chrono_literals;
using app::testing::temporary_directory;
using app::testing::write_file;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto hard_limit = 30s;

class terminal {
 public:
  terminal() {
    const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    if (::openpty(&screen_, &line_, nullptr, nullptr, &size) != 0)
      throw std::runtime_error("openpty");
    for (const int end : {screen_, line_}) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  ~terminal() {
    close_line();
    ::close(screen_);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  int line() const { return line_; }
  // Everything that was written to it, once nobody can write any more.
  std::string all() {
    close_line();
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t count = 0; (count = ::read(screen_, piece.data(), piece.size())) > 0;)
      text.append(piece.data(), static_cast<std::size_t>(count));
    return text;
  }

 private:
  void close_line() {
    if (line_ >= 0) ::close(line_);
    line_ = -1;
  }

  int screen_ = -1;
  int line_ = -1;
};

std::string shown_by(const std::vector<std::string>& more) {
  std::vector<std::string> argv{DSPU_PROGRAM,   "fetch",    "--proxy", "",
                                "--no-breaker", "--jitter", "none"};
  argv.insert(argv.end(), more.begin(), more.end());
  terminal screen;
  process run(argv, {.out_fd = screen.line(), .err_fd = screen.line()});
  const std::string text = screen.all();  // ends when it has ended
  EXPECT_TRUE(run.wait(hard_limit).has_value());
  return text;
}

TEST(FetchTerminalWallClock, ResultsAreNotGluedToTheLiveLine) {
  hostile_server server;
  server.misbehave(fault::reset_in_header);
  // The first is retried for a second, so that a live line is there when the last result comes.
  const std::string text =
      shown_by({server.url("/1"), server.url("/2"), "--base-delay", "1s", "--max-attempts", "2"});
  EXPECT_THAT(text, HasSubstr("1/2 50%")) << "there was no live line";
  const std::regex start("(^|\n|\x1b\\[K)\\{\"v\":1");
  EXPECT_EQ(std::distance(std::sregex_iterator(text.begin(), text.end(), start), {}), 2) << text;
}

TEST(FetchTerminalWallClock, NothingFromOutsideGivesTheTerminalOrders) {
  temporary_directory directory;
  hostile_server server;
  server.misbehave(fault::control_characters);
  const std::string input = directory / "input";
  write_file(input, server.url("/1") + "\n" +
                        server.url("/\x1b[35m\x07\xc2\x9b"
                                   "31m\x9b"
                                   "31m") +
                        "\n" + "{\"url\":\"" + server.url("/3") +
                        "\", \"id\":\"\\u009b31m\\u0007\"}\n");
  const std::string text = shown_by(
      {"-v", "-i", input, "--max-attempts", "2", "--inline-body", "1k", "--base-delay", "1ms"});
  const std::regex ours("\x1b\\[(K|0m|31m|32m|33m)");
  const std::string rest = std::regex_replace(text, ours, "");
  EXPECT_THAT(rest, Not(HasSubstr("\x1b")));
  EXPECT_THAT(rest, Not(HasSubstr("\x07")));
  EXPECT_THAT(rest, Not(HasSubstr("\x9b")));  // alone, or as the second byte of U+009B
  EXPECT_THAT(rest, HasSubstr("\\x1b[35m\\x07\\u009b31m"));
}

}  // namespace
}  // namespace dspu::faults
