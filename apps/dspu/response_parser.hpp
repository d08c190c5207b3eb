// Takes HTTP/1.1 responses apart as their bytes come (RFC 9112): status, header, and where the body begins and ends.
//
//   response_parser parser({});
//   for (std::string_view in = received;;) {
//     std::string_view body;
//     switch (parser.next(in, body)) {  // takes what it has understood from the front of `in`
//       case response_parser::found::more: …  // nothing further in `in`: what is left of it comes again, with more behind
//       case response_parser::found::head: …  // parser.head()
//       case response_parser::found::body: …  // a piece of it
//       case response_parser::found::end: …   // of the response; what is left of `in` is not part of it
//     }
//   }
//
// What real servers send and RFC 9112 allows a client to read is read; what could be read in two ways is refused, or
// read in the way that the RFC says and the connection not used again. docs/fetch.md has the table.
// No I/O. Thread-safety: none.
#pragma once

#include "dspu/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace dspu::app {

// Of all header lines of a response together, those of interim responses before it included, and of its trailer.
inline constexpr std::size_t max_header_size = 256 * 1024;

// What came cannot be read, or not safely. Its text says why, as in "the status is not a number of three digits".
class malformed_response : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class response_parser {
 public:
  struct expectations {
    bool body = true;  // false after HEAD and CONNECT
  };
  explicit response_parser(const expectations& expect) : expect_(expect) {}

  enum class found { more, head, body, end };

  // Requires: not all of the response has been found. Throws: malformed_response; the response is over then.
  found next(std::string_view& in, std::string_view& body);

  // Of the response, once it has been found: its status, the reason phrase without control characters, its header
  // without lines whose name is none, values without blanks around them and control characters in them.
  unsigned status() const { return status_; }
  const std::string& reason() const { return reason_; }
  const header_list& headers() const { return headers_; }
  header_list take_headers() { return std::move(headers_); }

  bool has_head() const { return state_ > state::fields; }
  // Whether anything at all has come of it; interim responses do not count.
  bool has_begun() const { return state_ != state::status_line || scanned_ > 0; }
  // Whether all of it has come.
  bool is_whole() const { return state_ == state::done; }
  // Whether the end of the stream is the end of its body. Requires: has_head().
  bool ends_with_stream() const { return state_ == state::body_until_close; }
  // Whether it has a body, be it an empty one. Requires: has_head().
  bool has_body() const { return has_body_; }
  // How long that will be, if that has been said.
  std::optional<std::uint64_t> body_length() const { return length_; }
  // Whether the connection may carry another response. Requires: is_whole().
  bool keeps_alive() const { return keep_alive_; }
  // Whether the server says that it will keep it. Requires: has_head().
  bool says_keep_alive() const { return says_keep_alive_; }

 private:
  enum class state {
    status_line,
    fields,
    sized_body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer,
    body_until_close,
    done
  };

  // Without its end. Nothing: there is no whole line yet.
  std::optional<std::string_view> take_line(std::string_view& in);
  std::optional<std::string_view> take_chunk_line(std::string_view& in);
  found take_body(std::string_view& in, std::string_view& body, state then);
  [[noreturn]] static void refuse_status_line(std::string_view line);
  void parse_status_line(std::string_view line);
  void parse_field(std::string_view line);
  bool end_header();
  void heed(std::string_view name, std::string_view value);
  void heed_length(std::string_view text);
  void heed_coding(std::string_view coding);
  void frame_body();
  void parse_chunk_size(std::string_view line);

  expectations expect_;
  state state_ = state::status_line;
  std::size_t scanned_ = 0;      // of the line that is not whole yet
  std::size_t header_size_ = 0;  // of all lines
  unsigned status_ = 0;
  std::string reason_;
  header_list headers_;
  bool version_1_0_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool chunked_ = false;
  bool skipped_ = false;    // the header line before, which has no name
  bool ambiguous_ = false;  // read as the RFC says; but the server may mean something else
  bool has_body_ = false;
  bool keep_alive_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
};

}  // namespace dspu::app
