#include "dspu/results_file.hpp"

#include "dspu/failure.hpp"
#include "dspu/line_reader.hpp"
#include "dspu/record.hpp"

#include <boost/json.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace json = boost::json;

constexpr std::string_view result_begin = "{\"v\":";  // as append_json_line writes it

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw usage_error(where + ": " + why + "; --resume goes on only with a file that dspu wrote");
}

bool is_regular(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

// Any number of runs may write to /dev/null, to a terminal or to a pipe. Some file systems know no
// locks; then two runs on one file are the user's affair.
void lock(int fd, const std::string& path) {
  if (is_regular(fd) && ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw usage_error("another run is writing to " + path);
}

// `access`: O_WRONLY waits for a FIFO's reader and fails when it goes away; with O_RDWR the FIFO
// would be its own reader.
file_descriptor open_locked(const std::string& path, int access) {
  file_descriptor file(::open(path.c_str(), access | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file) throw io_failure("cannot write " + path, errno);
  lock(file.get(), path);
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

bool may_begin_a_result(std::string_view text) {
  return text.starts_with(result_begin) || result_begin.starts_with(text);
}

// A result line has no NUL byte. After a power cut a file may have runs of them, where its length had reached
// the disk and its bytes had not. Text in UTF-16, which was never a result, has one beside each letter.
bool is_damaged(std::string_view line) {
  constexpr int most_runs = 3;
  int runs = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    runs += line[i] == '\0' && (i == 0 || line[i - 1] != '\0') ? 1 : 0;
  return runs > 0 && runs <= most_runs && may_begin_a_result(line.substr(0, line.find('\0')));
}

file_descriptor open_to_read(const std::string& path) {
  file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw io_failure("cannot read " + path, errno);
  return file;
}

// Calls `use(line, number)` for each of the lines in the first `whole` bytes, which end in a line feed.
template <class Use>
void for_each_line(const std::string& path, off_t whole, Use use) {
  // A line gets as long as --inline-body lets it; whoever wrote it had the memory.
  line_reader reader(open_to_read(path), path, std::numeric_limits<std::size_t>::max() / 4);
  std::string_view line;
  while (reader.next(line) == line_reader::status::line &&
         reader.bytes_taken() <= static_cast<std::uint64_t>(whole)) {
    use(line, reader.line_number());
  }
}

struct journal {
  finished_requests finished;
  std::uint64_t damaged_lines = 0;
};

journal read_journal(const std::string& path, off_t whole) {
  journal read;
  for_each_line(path, whole, [&](std::string_view line, std::uint64_t number) {
    if (is_damaged(line)) {
      ++read.damaged_lines;
      return;
    }
    try {
      read.finished.add(line);
    } catch (const std::invalid_argument& error) {
      refuse(path + ":" + std::to_string(number), error.what());
    }
  });
  return read;
}

// What is behind the last line feed is cut off. So it must be the beginning of a result, and not somebody's
// text.
void check_tail(int fd, off_t whole, const std::string& path) {
  std::array<char, result_begin.size()> buffer{};
  const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), whole);
  if (count < 0) throw io_failure("cannot read " + path, errno);
  std::string_view tail(buffer.data(), static_cast<std::size_t>(count));
  tail = tail.substr(0, tail.find('\0'));
  if (!may_begin_a_result(tail)) refuse(path, "what is behind its last line feed is not a result");
}

// The file without its damaged lines, in its place: written beside it first, so that nothing is lost whenever
// this ends. Returns it locked.
file_descriptor repair(const std::string& path, int damaged, off_t whole) {
  const std::string target = std::filesystem::canonical(path).string();
  const std::string part = target + ".repaired";
  ::unlink(part.c_str());
  file_descriptor file(
      ::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw io_failure("cannot write " + part, errno);
  lock(file.get(), path);
  struct stat facts{};
  if (::fstat(damaged, &facts) == 0) {
    // As the file was, as far as this user may make it so.
    [[maybe_unused]] const int owner = ::fchown(file.get(), facts.st_uid, facts.st_gid);
    ::fchmod(file.get(), facts.st_mode & 07777);
  }
  line_writer writer(file_descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)), part);
  for_each_line(path, whole, [&](std::string_view line, std::uint64_t) {
    if (!is_damaged(line)) writer.write(std::string(line) + "\n");
  });
  writer.sync();
  if (std::rename(part.c_str(), target.c_str()) != 0) throw io_failure("cannot rename " + part, errno);
  return file;
}

}  // namespace

result_facts read_result(std::string_view line) {
  std::array<unsigned char, 4096> scratch;
  json::monotonic_resource memory(scratch.data(), scratch.size());
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(line.data(), line.size()), error, &memory);
  const json::object* result = error ? nullptr : value.if_object();
  const json::value* id = result ? result->if_contains("id") : nullptr;
  const json::value* ok = result ? result->if_contains("ok") : nullptr;
  if (!id || !id->is_string() || !ok || !ok->is_bool()) throw std::invalid_argument("not a result line");
  const json::string& text = id->get_string();
  const json::value* how = result->if_contains("outcome");
  return {.id = digest_of({{text.data(), text.size()}}),
          .ok = ok->get_bool(),
          .invalid_input = how && how->is_string() && how->get_string() == to_string(outcome::invalid_input)};
}

void finished_requests::add(std::string_view line) {
  const result_facts facts = read_result(line);
  if (facts.invalid_input) invalid_.insert(facts.id);
  const bool is_new = ids_.insert(facts.id, !facts.ok);
  if (is_new && !facts.ok) ++failures_;
  if (!is_new && facts.ok && *ids_.find(facts.id)) {
    ids_.set_flag(facts.id, false);
    --failures_;
  }
}

bool finished_requests::contains(std::string_view id) const { return ids_.find(digest_of({id})).has_value(); }

bool finished_requests::failed(std::string_view id) const {
  return ids_.find(digest_of({id})).value_or(false);
}

bool finished_requests::was_invalid(std::string_view id) const {
  return failed(id) && invalid_.find(digest_of({id})).has_value();
}

void for_each_result(const std::string& path,
                     const std::function<void(std::string_view line, std::uint64_t number)>& use) {
  const file_descriptor file = open_to_read(path);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) throw io_failure("cannot read " + path, errno);
  if (!S_ISREG(facts.st_mode)) throw usage_error(path + " is no regular file");
  for_each_line(path, end_of_whole_lines(file.get(), facts.st_size, path),
                [&](std::string_view line, std::uint64_t number) {
                  if (!is_damaged(line)) use(line, number);
                });
}

resumed_results resume_results(const std::string& path) {
  file_descriptor file = open_locked(path, O_RDWR);
  const off_t size = size_of(file.get(), path);
  const off_t whole = end_of_whole_lines(file.get(), size, path);
  // Read first: a file that turns out not to be ours stays as it is.
  journal read = read_journal(path, whole);
  check_tail(file.get(), whole, path);
  if (read.damaged_lines > 0) {
    file = repair(path, file.get(), whole);
  } else if (whole != size && ::ftruncate(file.get(), whole) != 0) {
    throw io_failure("cannot write " + path, errno);
  }
  return {line_writer(std::move(file), path), std::move(read.finished),
          static_cast<std::uint64_t>(size - whole), read.damaged_lines};
}

line_writer open_results(const std::string& path) { return line_writer(open_locked(path, O_WRONLY), path); }

}  // namespace dspu::app
