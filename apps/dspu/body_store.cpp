#include "dspu/body_store.hpp"

#include "dspu/failure.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace dspu::app {

namespace {

constexpr std::size_t longest_stem = 150;

bool is_safe(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_';
}

}  // namespace

std::string body_file_name(std::uint64_t n, std::string_view url) {
  std::string number = std::to_string(n);
  if (number.size() < 8) number.insert(0, 8 - number.size(), '0');
  const std::size_t slashes = url.find("://");
  std::string stem(slashes == std::string_view::npos ? url : url.substr(slashes + 3));
  // A password in the URL has no business in a file name.
  if (const std::size_t at = stem.substr(0, stem.find('/')).rfind('@'); at != std::string::npos)
    stem.erase(0, at + 1);
  std::ranges::replace_if(
      stem, [](char c) { return !is_safe(c); }, '_');
  stem.resize(std::min(stem.size(), longest_stem));
  while (!stem.empty() && (stem.back() == '_' || stem.back() == '.')) stem.pop_back();
  return number + "-" + stem;
}

kept_body::kept_body(std::string path, std::optional<std::uint64_t> inline_limit, std::string part_suffix)
    : path_(std::move(path)), part_(path_ + std::move(part_suffix)), inline_limit_(inline_limit) {}

kept_body::~kept_body() { discard(); }

void kept_body::begin(const http_response&) {
  discard();
  if (inline_limit_) text_.emplace();
  if (path_.empty()) return;
  file_ = file_descriptor(::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file_) throw io_failure("cannot write " + part_, errno);
}

void kept_body::write(std::span<const char> bytes) {
  bytes_ += bytes.size();
  if (text_ && bytes_ > *inline_limit_) {
    text_.reset();
    omitted_ = true;
  }
  if (text_) text_->append(bytes.data(), bytes.size());
  while (file_ && !bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw io_failure("cannot write " + part_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void kept_body::finish() {
  if (!file_) return;
  file_.reset();
  if (std::rename(part_.c_str(), path_.c_str()) != 0) throw io_failure("cannot rename " + part_, errno);
  finished_file_ = path_;
}

void kept_body::discard() {
  if (file_) {
    file_.reset();
    ::unlink(part_.c_str());
  }
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
}

std::unique_ptr<kept_body> body_store::open(std::uint64_t n, std::string_view url, std::int64_t hedge) const {
  std::string path;
  if (!options_.directory.empty()) {
    path = (std::filesystem::path(options_.directory) / body_file_name(n, url)).string();
  }
  std::string suffix = hedge == 0 ? ".part" : ".part" + std::to_string(hedge);
  return std::make_unique<kept_body>(std::move(path), options_.inline_limit, std::move(suffix));
}

}  // namespace dspu::app
