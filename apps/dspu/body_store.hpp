// What becomes of response bodies: counted, kept for the result line, written to a directory.
#pragma once

#include "dspu/file_descriptor.hpp"
#include "dspu/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

struct body_options {
  std::string directory{};  // empty: bodies are not saved
  std::optional<std::uint64_t> inline_limit = std::nullopt;
};

// A name for the file of request `n`: unique because of n, readable because of the URL, safe on any file
// system.
std::string body_file_name(std::uint64_t n, std::string_view url);

// The body of one request: of its last response, as each response voids what the one before left. A file is
// written beside its final name and renamed when it is whole; one that never becomes whole is removed.
class kept_body final : public body_sink {
 public:
  // `path` empty: no file. Until it is whole the file has `part_suffix` behind its name.
  kept_body(std::string path, std::optional<std::uint64_t> inline_limit, std::string part_suffix = ".part");
  kept_body(const kept_body&) = delete;
  kept_body& operator=(const kept_body&) = delete;
  ~kept_body() override;

  void begin(const http_response& head) override;
  void write(std::span<const char> bytes) override;

  // The body is whole. Throws: io_error.
  void finish();
  // The attempt failed midway: there is no body.
  void discard();

  std::uint64_t bytes() const { return bytes_; }
  const std::string& file() const { return finished_file_; }  // empty until finish()
  bool omitted() const { return omitted_; }                   // larger than the inline limit
  std::optional<std::string> take_text();

 private:
  std::string path_;
  std::string part_;
  std::optional<std::uint64_t> inline_limit_;
  file_descriptor file_;
  std::string finished_file_;
  std::optional<std::string> text_;
  bool omitted_ = false;
  std::uint64_t bytes_ = 0;
};

class body_store {
 public:
  // Makes the directory. Throws: io_error.
  explicit body_store(body_options options);

  // `hedge`: of the exchanges for one attempt that are out at once, each writes a file of its own.
  std::unique_ptr<kept_body> open(std::uint64_t n, std::string_view url, std::int64_t hedge = 0) const;

 private:
  body_options options_;
};

}  // namespace dspu::app
