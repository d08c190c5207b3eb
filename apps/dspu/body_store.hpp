// What becomes of response bodies: counted, kept for the result line, written to a directory.
#pragma once

#include "dspu/digest.hpp"
#include "dspu/download_source.hpp"
#include "dspu/file_descriptor.hpp"
#include "dspu/file_identity.hpp"
#include "dspu/output_name.hpp"
#include "dspu/saved_file.hpp"
#include "dspu/transport.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

struct body_options {
  std::string directory{};  // empty: bodies are not saved
  std::optional<std::uint64_t> inline_limit = std::nullopt;
  output_name name = output_name();
  bool overwrite = false;  // files of earlier runs, where the name does not tell whose they are
  bool sync = false;       // --fsync
  bool resume = false;     // go on with bodies that an earlier run left
  std::vector<file_identity> files_of_run{};  // which are never overwritten
};

// The request whose body it is.
struct body_owner {
  std::string_view id;
  std::uint64_t n = 0;
  std::string_view url;
};

// The body of one request: of its last response, as each response voids what the one before left. Its file is
// there once it is whole (saved_file.hpp). If the place says so, one that breaks off is kept, and the rest of
// it can be asked for, by the next attempt or the next run (download_source.hpp).
class kept_body final : public body_sink {
 public:
  struct place {
    int base = -1;              // the directory of --save, open; -1: no file
    std::string shown_base{};   // its name
    std::string directories{};  // below it, if the name has any
    std::string name{};
    std::string part_suffix = ".part";
    saved_file_options options{};
    bool continuable = false;  // what breaks off is kept, and gone on with
    std::string url{};         // whose body it is
  };

  kept_body(place where, std::optional<std::uint64_t> inline_limit);
  kept_body(const kept_body&) = delete;
  kept_body& operator=(const kept_body&) = delete;

  // Goes on with what an earlier run left, if there is anything.
  void go_on();

  void begin(const http_response& head) override;
  void write(std::span<const char> bytes) override;

  // Whether it is a beginning, and the rest can be asked for; with which headers.
  bool can_continue() const { return file_ && source_ && file_->size() > 0; }
  std::uint64_t stored() const { return file_ ? file_->size() : 0; }
  header_list headers_for_rest() const { return dspu::app::headers_for_rest(*source_, file_->size()); }

  // The body is whole. Throws: io_error.
  void finish();
  // The attempt failed midway: there is no body.
  void discard();

  unsigned status() const { return status_; }  // of the response that has begun; 0 if none has
  std::uint64_t bytes() const { return bytes_; }
  const std::string& content_encoding() const { return content_encoding_; }  // what it is still encoded with
  const std::string& file() const { return finished_file_; }  // empty until finish()
  bool omitted() const { return omitted_; }                   // larger than the inline limit
  std::optional<std::string> take_text();

 private:
  void open_file();
  // Whether the response goes on with what is there. Throws: transport_error.
  bool is_rest(const http_response& head);

  place where_;
  std::optional<std::uint64_t> inline_limit_;
  std::optional<download_source> source_;
  bool aside_ = false;         // the response is not written to the file, which waits for its rest
  file_descriptor directory_;  // below the base
  std::unique_ptr<saved_file> file_;
  std::string finished_file_;
  std::optional<std::string> text_;
  bool omitted_ = false;
  std::uint64_t bytes_ = 0;
  unsigned status_ = 0;
  std::string content_encoding_;
};

class body_store {
 public:
  // Makes the directory. Throws: io_error.
  explicit body_store(body_options options);

  // Reserves the name of a request's file, before the request is sent; once for each request.
  // Throws: std::invalid_argument if another request of the run has it, or a file that may be somebody
  // else's.
  void claim(const body_owner& owner);

  struct how_opened {
    std::int64_t hedge =
        0;  // of the exchanges for one attempt that are out at once, each writes a file of its own
    bool continuable = false;  // a body that breaks off can be gone on with
  };
  std::unique_ptr<kept_body> open(const body_owner& owner, const how_opened& how) const;

 private:
  body_options options_;
  file_descriptor directory_;
  digest_set claimed_;  // names, where two requests may have the same
};

}  // namespace dspu::app
