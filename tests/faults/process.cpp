#include "faults/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

namespace dspu::faults {

namespace {

// All of these run between fork and exec, where only plain system calls are allowed.
void redirect(const std::string& path, int to) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (file < 0 || ::dup2(file, to) < 0) ::_exit(126);
  ::close(file);
}

void break_pipe(int to) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0 || ::dup2(ends[1], to) < 0) ::_exit(126);
  ::close(ends[0]);
  ::close(ends[1]);
}

[[noreturn]] void become(char* const* argv, const process_options& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the test ends what it started
  if (options.largest_file) {
    const rlimit limit{*options.largest_file, *options.largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  redirect("/dev/null", STDOUT_FILENO);
  redirect("/dev/null", STDERR_FILENO);
  if (!options.out.empty()) redirect(options.out, STDOUT_FILENO);
  if (!options.err.empty()) redirect(options.err, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  if (null > STDERR_FILENO) ::close(null);
  if (options.in_fd >= 0) ::dup2(options.in_fd, STDIN_FILENO);
  if (options.out_fd >= 0) ::dup2(options.out_fd, STDOUT_FILENO);
  if (options.err_fd >= 0) ::dup2(options.err_fd, STDERR_FILENO);
  if (options.break_out) break_pipe(STDOUT_FILENO);
  if (options.close_out) ::close(STDOUT_FILENO);
  if (options.close_err) ::close(STDERR_FILENO);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

small_pipe::small_pipe() {
  if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
}

small_pipe::~small_pipe() {
  close(ends_[0]);
  close(ends_[1]);
}

void small_pipe::close(int& end) {
  if (end >= 0) ::close(std::exchange(end, -1));
}

std::string small_pipe::read_all() const {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = ::read(ends_[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  return text;
}

bool small_pipe::is_full() const {
  pollfd query{ends_[1], POLLOUT, 0};
  return ::poll(&query, 1, 0) == 0;
}

process::process(const std::vector<std::string>& argv, const process_options& options) {
  std::vector<std::string> copy = argv;
  std::vector<char*> pointers;
  for (std::string& argument : copy) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) become(pointers.data(), options);
}

process::~process() {
  signal(SIGKILL);
  wait(std::chrono::seconds(10));
}

std::optional<int> process::wait(std::chrono::milliseconds limit) {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  while (pid_ > 0) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (std::chrono::steady_clock::now() > give_up) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return std::nullopt;
}

void process::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

}  // namespace dspu::faults
