#include "dspu/stop_signals.hpp"

#include "dspu/failure.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <utility>

namespace dspu::app {

namespace asio = boost::asio;

namespace {

constexpr std::array<int, 2> numbers{SIGINT, SIGTERM};
constexpr int most_signals = 3;

// For the handler, which has no object.
std::atomic<int> seen{0};
std::atomic<int> pipe_end{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  if (seen.fetch_add(1) + 1 >= most_signals) ::_exit(128 + number);
  const int error_number = errno;
  const char byte = static_cast<char>(number);
  // The pipe has room: it holds at most two of these.
  [[maybe_unused]] const ssize_t written = ::write(pipe_end.load(), &byte, 1);
  errno = error_number;
}

std::pair<file_descriptor, file_descriptor> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    throw io_failure("cannot receive signals", errno);
  return {file_descriptor(ends[0]), file_descriptor(ends[1])};
}

}  // namespace

// The end of the pipe that the loop waits for. It outlives its owner in a handler that is queued
// already.
struct stop_signals::receiver : std::enable_shared_from_this<receiver> {
  receiver(const asio::any_io_executor& executor, file_descriptor read_end,
           std::function<void(int)> function)
      : pipe(executor, read_end.release()), told(std::move(function)) {}

  void wait() {
    auto handler = [self = shared_from_this()](const boost::system::error_code& error,
                                               std::size_t) {
      if (error || self->closed) return;
      self->told(self->number);
      if (!self->closed) self->wait();
    };
    pipe.async_read_some(asio::buffer(&number, 1), std::move(handler));
  }

  asio::posix::stream_descriptor pipe;
  std::function<void(int)> told;
  char number = 0;
  bool closed = false;
};

stop_signals::stop_signals(const asio::any_io_executor& executor, std::function<void(int)> told) {
  auto [read_end, write_end] = make_pipe();
  received_ = std::make_shared<receiver>(executor, std::move(read_end), std::move(told));
  sent_ = std::move(write_end);
  seen = 0;
  pipe_end = sent_.get();
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigfillset(&action.sa_mask);
  // Without SA_RESTART: a system call that blocks ends with EINTR.
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    ::sigaction(numbers[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(numbers[i], &action, nullptr);
  }
  received_->wait();
}

stop_signals::~stop_signals() {
  close();
  for (std::size_t i = 0; i < numbers.size(); ++i) ::sigaction(numbers[i], &before_[i], nullptr);
}

void stop_signals::close() {
  received_->closed = true;
  boost::system::error_code ignored;
  received_->pipe.cancel(ignored);
}

int stop_signals::descriptor() const { return received_->pipe.native_handle(); }

}  // namespace dspu::app
