#include "dspu/results_file.hpp"

#include "dspu/failure.hpp"
#include "dspu/line_reader.hpp"

#include <boost/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <limits>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace json = boost::json;

file_descriptor open_locked(const std::string& path) {
  file_descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file) throw io_failure("cannot write " + path, errno);
  // Some file systems know no locks; then two runs on one file are the user's affair.
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw usage_error("another run is writing to " + path);
  }
  return file;
}

off_t size_of(int fd, const std::string& path) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) throw io_failure("cannot read " + path, errno);
  if (!S_ISREG(facts.st_mode))
    throw usage_error("--resume needs a regular file for its results; " + path + " is none");
  return facts.st_size;
}

// The offset just behind the last line feed.
off_t end_of_whole_lines(int fd, off_t size, const std::string& path) {
  std::array<char, 64 * 1024> buffer{};
  while (size > 0) {
    const off_t begin =
        size > static_cast<off_t>(buffer.size()) ? size - static_cast<off_t>(buffer.size()) : 0;
    const ssize_t count = ::pread(fd, buffer.data(), static_cast<std::size_t>(size - begin), begin);
    if (count <= 0) throw io_failure("cannot read " + path, count < 0 ? errno : EIO);
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
    const std::size_t line_feed = piece.rfind('\n');
    if (line_feed != std::string_view::npos) return begin + static_cast<off_t>(line_feed) + 1;
    size = begin;
  }
  return 0;
}

// Reads the first `whole` bytes, which end in a line feed.
finished_requests read_finished(const std::string& path, off_t whole) {
  finished_requests finished;
  file_descriptor copy(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!copy) throw io_failure("cannot read " + path, errno);
  // A line gets as long as --inline-body lets it; whoever wrote it had the memory.
  line_reader reader(std::move(copy), path, std::numeric_limits<std::size_t>::max() / 4);
  std::string_view line;
  while (reader.next(line) == line_reader::status::line &&
         reader.bytes_taken() <= static_cast<std::uint64_t>(whole)) {
    try {
      finished.add(line);
    } catch (const std::invalid_argument& error) {
      throw usage_error(path + ":" + std::to_string(reader.line_number()) + ": " + error.what() +
                        "; --resume goes on only with a file that dspu wrote");
    }
  }
  return finished;
}

}  // namespace

void finished_requests::add(std::string_view line) {
  std::array<unsigned char, 4096> scratch;
  json::monotonic_resource memory(scratch.data(), scratch.size());
  json::error_code error;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), error, &memory);
  const json::object* result = error ? nullptr : value.if_object();
  const json::value* id = result ? result->if_contains("id") : nullptr;
  const json::value* ok = result ? result->if_contains("ok") : nullptr;
  if (!id || !id->is_string() || !ok || !ok->is_bool()) throw std::invalid_argument("not a result line");
  const json::string& text = id->get_string();
  const bool failed = !ok->get_bool();
  if (ids_.insert(digest_of({{text.data(), text.size()}}), failed) && failed) ++failures_;
}

bool finished_requests::contains(std::string_view id) const { return ids_.find(digest_of({id})).has_value(); }

bool finished_requests::failed(std::string_view id) const {
  return ids_.find(digest_of({id})).value_or(false);
}

resumed_results resume_results(const std::string& path) {
  file_descriptor file = open_locked(path);
  const off_t size = size_of(file.get(), path);
  const off_t whole = end_of_whole_lines(file.get(), size, path);
  // Read first: a file that turns out not to be ours stays as it is.
  finished_requests finished = read_finished(path, whole);
  if (whole != size && ::ftruncate(file.get(), whole) != 0) throw io_failure("cannot write " + path, errno);
  return {line_writer(std::move(file), path), std::move(finished), static_cast<std::uint64_t>(size - whole)};
}

line_writer open_results(const std::string& path) { return line_writer(open_locked(path), path); }

}  // namespace dspu::app
