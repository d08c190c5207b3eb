#include "dspu/line_reader.hpp"

#include "dspu/failure.hpp"

#include <poll.h>
#include <sys/stat.h>

#include <cerrno>

namespace dspu::app {

namespace {

constexpr std::size_t chunk = 64 * 1024;

bool can_read_now(int fd) {
  pollfd query{fd, POLLIN, 0};
  return ::poll(&query, 1, 0) > 0;
}

}  // namespace

line_reader::line_reader(file_descriptor file, std::string name, std::size_t longest_line)
    : file_(std::move(file)), name_(std::move(name)), longest_line_(longest_line) {
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw io_failure("cannot read " + name_, errno);
  if (S_ISDIR(facts.st_mode)) throw io_failure("cannot read " + name_, EISDIR);
  regular_ = S_ISREG(facts.st_mode);
  if (regular_) size_ = static_cast<std::uint64_t>(facts.st_size);
}

line_reader::status line_reader::next(std::string_view& line) {
  while (true) {
    const std::size_t line_feed = buffer_.find('\n', searched_);
    if (line_feed != std::string::npos) return cut(line_feed, line);
    searched_ = buffer_.size();
    if (buffer_.size() - begin_ > longest_line_) {
      discarding_ = true;
      begin_ = buffer_.size();
    }
    if (at_end_) return last_line(line);
    switch (fill()) {
      case filled::some:
        break;
      case filled::nothing_yet:
        return status::pending;
      case filled::end:
        at_end_ = true;
        break;
    }
  }
}

line_reader::filled line_reader::fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  // A regular file is always ready; anything else is asked first, so that nothing here waits.
  if (!regular_ && !can_read_now(file_.get())) return filled::nothing_yet;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + chunk);
  ssize_t count = 0;
  do count = ::read(file_.get(), buffer_.data() + before, chunk);
  while (count < 0 && errno == EINTR && regular_);  // a regular file cannot be waited for
  const int error_number = errno;
  buffer_.resize(before + (count > 0 ? static_cast<std::size_t>(count) : 0));
  if (count > 0) {
    bytes_read_ += static_cast<std::uint64_t>(count);
    return filled::some;
  }
  if (count == 0) return filled::end;
  if (error_number == EAGAIN || error_number == EINTR) return filled::nothing_yet;
  throw io_failure("cannot read " + name_, error_number);
}

line_reader::status line_reader::cut(std::size_t line_feed, std::string_view& line) {
  line = std::string_view(buffer_).substr(begin_, line_feed - begin_);
  begin_ = searched_ = line_feed + 1;
  ++line_number_;
  const bool too_long = discarding_ || line.size() > longest_line_;
  discarding_ = false;
  return too_long ? status::too_long : status::line;
}

line_reader::status line_reader::last_line(std::string_view& line) {
  if (begin_ == buffer_.size() && !discarding_) return status::end;
  line = std::string_view(buffer_).substr(begin_);
  begin_ = searched_ = buffer_.size();
  ++line_number_;
  const bool too_long = discarding_;
  discarding_ = false;
  return too_long ? status::too_long : status::line;
}

}  // namespace dspu::app
