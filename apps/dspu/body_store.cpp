#include "dspu/body_store.hpp"

#include "dspu/failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace dspu::app {

kept_body::kept_body(place where, std::optional<std::uint64_t> inline_limit)
    : where_(std::move(where)), inline_limit_(inline_limit) {}

namespace {

// Where its files are; what is missing of the directory is made.
struct opened_directory {
  int at;
  std::string shown;
};

opened_directory open_directory(const kept_body::place& where, file_descriptor& below) {
  if (where.directories.empty()) return {where.base, where.shown_base};
  below = make_directories(where.base, where.directories, where.shown_base);
  return {below.get(), (std::filesystem::path(where.shown_base) / where.directories).string()};
}

}  // namespace

void kept_body::open_file() {
  const auto directory = open_directory(where_, directory_);
  file_ = std::make_unique<saved_file>(directory.at, where_.name, directory.shown, where_.part_suffix,
                                       where_.options);
}

void kept_body::go_on() {
  if (where_.base < 0 || !where_.continuable) return;
  const auto directory = open_directory(where_, directory_);
  file_ = saved_file::go_on(directory.at, where_.name, directory.shown, where_.part_suffix, where_.options);
  if (file_) source_ = download_source_from(file_->note(), where_.url);
  const bool usable = source_ && file_->size() > 0 && file_->size() < source_->length && !inline_limit_;
  if (usable)
    bytes_ = file_->size();
  else
    discard();
}

bool kept_body::is_rest(const http_response& head) {
  switch (continuation_in(head, *source_, file_->size())) {
    case continuation::anew:
      return false;
    case continuation::rest:
      aside_ = false;
      break;
    case continuation::other:
      aside_ = true;
      break;
    case continuation::wrong:
      throw transport_error(transport_failure::wrong_part,
                            "bytes from " + std::to_string(file_->size()) + " were asked for, and status " +
                                std::to_string(head.status) + " with Content-Range \"" +
                                std::string(find_header(head.headers, "Content-Range")) + "\" came");
  }
  bytes_ = aside_ ? 0 : file_->size();
  return true;
}

void kept_body::begin(const http_response& head) {
  if (can_continue() && is_rest(head)) {
    status_ = head.status;
    content_encoding_ = head.content_encoding;
    return;
  }
  discard();
  content_encoding_ = head.content_encoding;
  status_ = head.status;
  if (inline_limit_) text_.emplace();
  if (where_.base < 0) return;
  open_file();
  if (where_.continuable) source_ = source_of(head);
  if (source_) file_->keep(to_line(*source_, where_.url));
}

void kept_body::write(std::span<const char> bytes) {
  bytes_ += bytes.size();
  if (aside_) return;
  if (text_ && bytes_ > *inline_limit_) {
    text_.reset();
    omitted_ = true;
  }
  if (text_) text_->append(bytes.data(), bytes.size());
  if (file_) file_->write(bytes);
}

void kept_body::finish() {
  if (!file_ || aside_) return;
  file_->commit();
  finished_file_ = file_->path();
  file_ = nullptr;
}

void kept_body::discard() {
  if (file_) file_->forget();
  file_ = nullptr;
  source_.reset();
  aside_ = false;
  text_.reset();
  omitted_ = false;
  bytes_ = 0;
}

std::optional<std::string> kept_body::take_text() { return std::exchange(text_, std::nullopt); }

body_store::body_store(body_options options) : options_(std::move(options)) {
  if (options_.directory.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(options_.directory, error);
  if (error) throw io_failure("cannot make directory " + options_.directory, error.value());
  directory_ = file_descriptor(::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) throw io_failure("cannot open directory " + options_.directory, errno);
}

void body_store::claim(const body_owner& owner) {
  if (!directory_ || options_.name.tells_ids_apart()) return;
  const std::string name = options_.name.expand(owner.id, owner.n, owner.url);
  const std::string path = (std::filesystem::path(options_.directory) / name).string();
  if (!claimed_.insert(digest_of({name})))
    throw std::invalid_argument(
        "its body would be saved as " + path +
        ", as another request's is; give --output-name a field that tells them apart");
  struct stat existing{};
  if (::fstatat(directory_.get(), name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!options_.overwrite)
    throw std::invalid_argument("its body would be saved as " + path +
                                ", which exists and may be another's; --overwrite replaces it");
  const bool used =
      ::fstatat(directory_.get(), name.c_str(), &existing, 0) == 0 &&
      std::ranges::find(options_.files_of_run, identity_of(existing)) != options_.files_of_run.end();
  if (used)
    throw std::invalid_argument("its body would be saved as " + path + ", which the run reads or writes");
}

std::unique_ptr<kept_body> body_store::open(const body_owner& owner, const how_opened& how) const {
  kept_body::place where;
  if (directory_) {
    where.base = directory_.get();
    where.shown_base = options_.directory;
    where.name = options_.name.expand(owner.id, owner.n, owner.url);
    if (const std::size_t slash = where.name.rfind('/'); slash != where.name.npos) {
      where.directories = where.name.substr(0, slash);
      where.name.erase(0, slash + 1);
    }
    if (how.hedge != 0) where.part_suffix += std::to_string(how.hedge);
    where.continuable = how.continuable;
    where.url = owner.url;
    where.options = {.replace = options_.overwrite || options_.name.tells_ids_apart(), .sync = options_.sync};
  }
  auto body = std::make_unique<kept_body>(std::move(where), options_.inline_limit);
  if (options_.resume) body->go_on();
  return body;
}

}  // namespace dspu::app
