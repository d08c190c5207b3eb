#include "dspu/output_queue.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

namespace dspu::app {

namespace {

bool has_a_reader(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 &&
         (S_ISFIFO(facts.st_mode) || S_ISSOCK(facts.st_mode) || ::isatty(fd) == 1);
}

bool has_room(int fd) {
  pollfd query{fd, POLLOUT, 0};
  return ::poll(&query, 1, 0) > 0;
}

// A pipe that has room at all takes PIPE_BUF bytes without blocking, and in one piece.
std::size_t next_piece(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text.size();
  const std::size_t line_feed = text.rfind('\n', PIPE_BUF - 1);
  return line_feed == std::string_view::npos ? PIPE_BUF : line_feed + 1;
}

// For poll(); -1 is for ever.
int milliseconds_until(std::chrono::steady_clock::time_point when) {
  if (when == std::chrono::steady_clock::time_point::max()) return -1;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
}

}  // namespace

output_queue::output_queue(file_descriptor file)
    : file_(std::move(file)), may_block_(has_a_reader(file_.get())) {}

int output_queue::write(std::string_view text) {
  queued_ += text;
  const int error = push();
  if (size() > 0) wait_for_room();
  return error;
}

int output_queue::push() {
  while (size() > 0) {
    if (may_block_ && !has_room(file_.get())) break;
    const std::string_view rest = std::string_view(queued_).substr(begun_);
    const ssize_t count =
        ::write(file_.get(), rest.data(), may_block_ ? next_piece(rest) : rest.size());
    if (count >= 0) {
      begun_ += static_cast<std::size_t>(count);
    } else if (may_block_ && (errno == EAGAIN || errno == EINTR)) {
      break;  // EINTR: what handles the signal goes first
    } else if (errno != EINTR) {
      const int error = errno;
      clear();
      return error;
    }
  }
  if (size() == 0) {
    clear();
  } else if (begun_ > queued_.size() / 2) {
    queued_.erase(0, begun_);
    begun_ = 0;
  }
  return 0;
}

void output_queue::clear() {
  queued_.clear();
  begun_ = 0;
}

void output_queue::attach(const boost::asio::any_io_executor& executor,
                          std::function<void(int)> written) {
  executor_ = executor;
  written_ = std::move(written);
  if (size() > 0) wait_for_room();
}

void output_queue::wait_for_room() {
  if (!executor_) return;
  if (!watch_) watch_.emplace(executor_, file_.get(), descriptor_watch::readiness::writable);
  watch_->when_ready([this] {
    const int error = push();
    if (size() > 0) wait_for_room();
    written_(error);
  });
}

int output_queue::finish(const patience& limit) {
  detach();
  while (true) {
    if (const int error = push(); error != 0) return error;
    if (size() == 0) return 0;
    std::array<pollfd, 2> queries{{{file_.get(), POLLOUT, 0}, {limit.interrupt, POLLIN, 0}}};
    const int ready = ::poll(queries.data(), queries.size(), milliseconds_until(limit.until));
    if (queries[1].revents == 0 && ready != 0) continue;
    clear();
    return EINTR;
  }
}

}  // namespace dspu::app
