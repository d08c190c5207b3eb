#include "dspu/saved_file.hpp"

#include "dspu/failure.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace dspu::app {

namespace {

int open_new(int directory, const char* name) {
  return ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

}  // namespace

saved_file::saved_file(int directory, std::string name, const std::string& shown_directory,
                       std::string part_suffix, saved_file_options options)
    : directory_(directory),
      name_(std::move(name)),
      part_(name_ + std::move(part_suffix)),
      path_((std::filesystem::path(shown_directory) / name_).string()),
      options_(options) {
  file_ = file_descriptor(open_new(directory_, part_.c_str()));
  // What a killed run left. Removed, not written to: it may be a link, or have another name besides.
  if (!file_ && errno == EEXIST && ::unlinkat(directory_, part_.c_str(), 0) == 0)
    file_ = file_descriptor(open_new(directory_, part_.c_str()));
  if (!file_) throw io_failure("cannot write " + shown_part(), errno);
}

saved_file::~saved_file() {
  if (!committed_ && part_is_ours()) ::unlinkat(directory_, part_.c_str(), 0);
}

void saved_file::write(std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw io_failure("cannot write " + shown_part(), errno);
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
