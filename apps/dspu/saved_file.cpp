#include "dspu/saved_file.hpp"

#include "dspu/failure.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

namespace dspu::app {

namespace {

constexpr const char* note_suffix = ".from";

int open_new(int directory, const char* name) {
  return ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

// Opens a regular file of this user that has no other name, and is no link.
int open_own(int directory, const char* name, int flags) {
  file_descriptor file(::openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts{};
  const bool own = file && ::fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode) &&
                   facts.st_nlink == 1 && facts.st_uid == ::geteuid();
  return own ? file.release() : -1;
}

// The first line with its end, up to 4 KiB; nothing if it has no end.
std::string read_line(int file) {
  std::array<char, 4096> text{};
  const ssize_t size = ::read(file, text.data(), text.size());
  const std::string_view whole(text.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  const std::size_t end = whole.find('\n');
  return end == whole.npos ? std::string() : std::string(whole.substr(0, end + 1));
}

}  // namespace

saved_file::saved_file(const names& called, saved_file_options options)
    : directory_(called.directory),
      name_(called.name),
      part_(name_ + called.part_suffix),
      path_((std::filesystem::path(called.shown_directory) / name_).string()),
      options_(options) {}

saved_file::saved_file(int directory, std::string name, const std::string& shown_directory,
                       std::string part_suffix, saved_file_options options)
    : saved_file(names{directory, std::move(name), std::move(part_suffix), shown_directory}, options) {
  ::unlinkat(directory_, (part_ + note_suffix).c_str(), 0);
  file_ = file_descriptor(open_new(directory_, part_.c_str()));
  // What a killed run left. Removed, not written to: it may be a link, or have another name besides.
  if (!file_ && errno == EEXIST && ::unlinkat(directory_, part_.c_str(), 0) == 0)
    file_ = file_descriptor(open_new(directory_, part_.c_str()));
  if (!file_) throw io_failure("cannot write " + shown_part(), errno);
  ::flock(file_.get(), LOCK_EX | LOCK_NB);  // it is new: nobody else has it
}

std::unique_ptr<saved_file> saved_file::go_on(int directory, std::string name,
                                              const std::string& shown_directory, std::string part_suffix,
                                              saved_file_options options) {
  std::unique_ptr<saved_file> found(
      new saved_file(names{directory, std::move(name), std::move(part_suffix), shown_directory}, options));
  found->committed_ = true;  // until it is ours there is nothing to remove
  const file_descriptor note(open_own(directory, (found->part_ + note_suffix).c_str(), O_RDONLY));
  found->file_ = file_descriptor(open_own(directory, found->part_.c_str(), O_WRONLY | O_APPEND));
  struct stat facts{};
  if (!note || !found->file_ || ::fstat(found->file_.get(), &facts) != 0 ||
      ::flock(found->file_.get(), LOCK_EX | LOCK_NB) != 0)
    return nullptr;
  found->note_ = read_line(note.get());
  found->size_ = static_cast<std::uint64_t>(facts.st_size);
  if (found->note_.empty() || !found->part_is_ours()) return nullptr;
  found->committed_ = false;
  return found;
}

saved_file::~saved_file() {
  if (!committed_ && note_.empty() && part_is_ours()) remove_part();
}

void saved_file::remove_part() const {
  ::unlinkat(directory_, part_.c_str(), 0);
  ::unlinkat(directory_, (part_ + note_suffix).c_str(), 0);
}

void saved_file::keep(const std::string& note) {
  const std::string name = part_ + note_suffix;
  ::unlinkat(directory_, name.c_str(), 0);
  const file_descriptor file(open_new(directory_, name.c_str()));
  const bool whole =
      file && ::write(file.get(), note.data(), note.size()) == static_cast<ssize_t>(note.size());
  if (!whole) throw io_failure("cannot write " + path_ + name.substr(name_.size()), errno);
  note_ = note;
}

void saved_file::write(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw io_failure("cannot write " + shown_part(), errno);
    size_ += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

std::string saved_file::shown_part() const { return path_ + part_.substr(name_.size()); }

// Another run that saves the same request may have removed it and begun its own.
bool saved_file::part_is_ours() const {
  struct stat opened{};
  struct stat named{};
  return ::fstat(file_.get(), &opened) == 0 &&
         ::fstatat(directory_, part_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

bool saved_file::rename_to(const char* name) const {
  if (options_.replace) return ::renameat(directory_, part_.c_str(), directory_, name) == 0;
  if (::renameat2(directory_, part_.c_str(), directory_, name, RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  // The file system does not know how: a second name, and the first one goes.
  return ::linkat(directory_, part_.c_str(), directory_, name, 0) == 0 &&
         ::unlinkat(directory_, part_.c_str(), 0) == 0;
}

void saved_file::commit() {
  if (options_.sync && ::fsync(file_.get()) != 0) throw io_failure("cannot write " + shown_part(), errno);
  if (!part_is_ours())
    throw io_error(shown_part() + " was replaced meanwhile; does another run save the same request?");
  if (!rename_to(name_.c_str())) throw io_failure("cannot rename " + shown_part() + " to " + path_, errno);
  committed_ = true;
  if (!note_.empty()) ::unlinkat(directory_, (part_ + note_suffix).c_str(), 0);
  if (options_.sync && ::fsync(directory_) != 0) throw io_failure("cannot write " + path_, errno);
}

file_descriptor make_directories(int base, const std::string& below, const std::string& shown_base) {
  file_descriptor at;
  std::filesystem::path shown = shown_base;
  for (const std::filesystem::path& part : std::filesystem::path(below)) {
    shown /= part;
    const int parent = at ? at.get() : base;
    if (::mkdirat(parent, part.c_str(), 0777) != 0 && errno != EEXIST)
      throw io_failure("cannot make directory " + shown.string(), errno);
    file_descriptor next(::openat(parent, part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) throw io_failure("cannot open directory " + shown.string(), errno);
    at = std::move(next);
  }
  return at;
}

}  // namespace dspu::app
