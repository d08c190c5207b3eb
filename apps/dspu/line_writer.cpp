#include "dspu/line_writer.hpp"

#include "dspu/failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace dspu::app {

namespace {

// Takes back what a failed write left at the end of the file.
void take_back(int fd, std::size_t count) {
  struct stat facts {};
  if (count == 0 || ::fstat(fd, &facts) != 0) return;
  // If this fails too, the torn line is what --resume expects to find after a crash.
  [[maybe_unused]] const int ignored = ::ftruncate(fd, facts.st_size - static_cast<off_t>(count));
}

// Of a file that was there already. Pipes and devices are as their maker wanted them.
void shut_others_out(int fd, const std::string& path) {
  constexpr mode_t others = S_IRWXG | S_IRWXO;
  struct stat facts{};
  if (::fstat(fd, &facts) != 0) throw io_failure("cannot write " + path, errno);
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & others) == 0) return;
  if (::fchmod(fd, facts.st_mode & 07777 & ~others) != 0)
    throw io_failure("cannot make " + path + " readable by its owner only, as it may hold credentials",
                     errno);
}

}  // namespace

void empty_if_regular(int descriptor, const std::string& name) {
  struct stat facts {};
  const bool regular = ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
  if (regular && ::ftruncate(descriptor, 0) != 0) throw io_failure("cannot write " + name, errno);
}

line_writer::line_writer(file_descriptor file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
  struct stat facts {};
  if (::fstat(file_.get(), &facts) != 0) throw io_failure("cannot write " + name_, errno);
  regular_ = S_ISREG(facts.st_mode);
  if (!regular_) queue_ = std::make_unique<output_queue>(std::move(file_));
}

line_writer line_writer::standard_output() {
  file_descriptor copy(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  if (!copy) throw io_failure("cannot write standard output", errno);
  // Told now, not when the first result is there.
  const int flags = ::fcntl(copy.get(), F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
    throw io_failure("cannot write standard output", EBADF);
  return line_writer(std::move(copy), "standard output");
}

line_writer line_writer::append_to(const std::string& path, file_access who) {
  const mode_t mode = who == file_access::owner_only ? 0600 : 0666;
  file_descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode));
  if (!file) throw io_failure("cannot write " + path, errno);
  if (who == file_access::owner_only) shut_others_out(file.get(), path);
  return line_writer(std::move(file), path);
}

void line_writer::empty() {
  if (regular_) empty_if_regular(file_.get(), name_);
}

void line_writer::sync() {
  if (regular_ && ::fdatasync(file_.get()) != 0) throw io_failure("cannot write " + name_, errno);
}

void line_writer::write(std::string_view lines) {
  if (queue_) {
    check(std::exchange(error_, 0));
    check(queue_->write(lines));
    return;
  }
  std::size_t written = 0;
  while (written < lines.size()) {
    const ssize_t count = ::write(file_.get(), lines.data() + written, lines.size() - written);
    if (count >= 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      const int error_number = errno;
      take_back(file_.get(), written);
      check(error_number);
    }
  }
}

void line_writer::attach(const boost::asio::any_io_executor& executor,
                         std::function<void()> written) {
  if (!queue_) return;
  queue_->attach(executor, [this, written = std::move(written)](int error_number) {
    if (error_number != 0) error_ = error_number;
    written();
  });
}

void line_writer::detach() {
  if (queue_) queue_->detach();
}

void line_writer::finish(const patience& limit) {
  if (!queue_) return;
  check(std::exchange(error_, 0));
  const int error_number = queue_->finish(limit);
  if (error_number != EINTR) check(error_number);
}

bool line_writer::is_terminal() const { return queue_ && ::isatty(queue_->descriptor()) == 1; }

void line_writer::check(int error_number) {
  if (error_number != 0) throw io_failure("cannot write " + name_, error_number);
}

}  // namespace dspu::app
