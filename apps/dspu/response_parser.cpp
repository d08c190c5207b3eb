#include "dspu/response_parser.hpp"

#include "dspu/http_syntax.hpp"

#include <algorithm>
#include <charconv>

namespace dspu::app {

namespace {

constexpr std::size_t max_chunk_line = 16 * 1024;
constexpr std::string_view blanks = " \t";

constexpr bool is_control(char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 9110, 5.5: a control character may be read as a blank; a NUL is in nobody's text.
std::string without_controls(std::string_view text) {
  std::string clean(text);
  if (clean.find('\0') != clean.npos) throw malformed_response("a header value has a NUL");
  std::ranges::replace_if(clean, is_control, ' ');
  return clean;
}

// Foreign bytes, for a message.
std::string quoted(std::string_view text) {
  constexpr std::size_t shown = 60;
  std::string clean(text.substr(0, shown));
  std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) < ' ' || c >= '\x7f'; }, '?');
  return "\"" + clean + (text.size() > shown ? "...\"" : "\"");
}

}  // namespace

response_parser::found response_parser::next(std::string_view& in, std::string_view& body) {
  while (true) {
    switch (state_) {
      case state::status_line:
      case state::fields: {
        const auto line = take_line(in);
        if (!line) return found::more;
        if (state_ == state::status_line) {
          parse_status_line(*line);
        } else if (!line->empty()) {
          parse_field(*line);
        } else if (end_header()) {
          return found::head;
        }
        break;
      }
      case state::sized_body:
        return take_body(in, body, state::done);
      case state::chunk_data:
        return take_body(in, body, state::chunk_end);
      case state::chunk_size:
      case state::chunk_end: {
        const auto line = take_chunk_line(in);
        if (!line) return found::more;
        if (state_ == state::chunk_size) {
          parse_chunk_size(*line);
        } else if (line->empty()) {
          state_ = state::chunk_size;
        } else {
          throw malformed_response("a chunk is longer than its size says");
        }
        break;
      }
      case state::trailer: {  // nobody has asked for one
        const auto line = take_line(in);
        if (!line) return found::more;
        if (line->empty()) state_ = state::done;
        break;
      }
      case state::body_until_close:
        if (in.empty()) return found::more;
        body = std::exchange(in, {});
        return found::body;
      case state::done:
        return found::end;
    }
  }
}

// RFC 9112, 2.2: a line feed alone ends a line, too.
std::optional<std::string_view> response_parser::take_line(std::string_view& in) {
  const std::size_t end = in.find('\n', scanned_);
  const std::size_t size = end == in.npos ? in.size() : end + 1;
  if (header_size_ + size > max_header_size)
    throw malformed_response("its header is larger than the limit of " + std::to_string(max_header_size / 1024) +
                             " KiB");
  if (end == in.npos) {
    constexpr std::string_view beginning = "HTTP/";  // other protocols may not end a line at all
    if (state_ == state::status_line && !beginning.starts_with(in.substr(0, beginning.size())))
      refuse_status_line(in);
    scanned_ = in.size();
    return std::nullopt;
  }
  scanned_ = 0;
  header_size_ += size;
  std::string_view line = in.substr(0, end);
  in.remove_prefix(size);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// A proxy in front of us may have seen other chunks if it took another end of the line.
std::optional<std::string_view> response_parser::take_chunk_line(std::string_view& in) {
  const std::size_t end = in.find('\n', scanned_);
  if (std::min(end, in.size()) > max_chunk_line)
    throw malformed_response("the line of a chunk's size is longer than " + std::to_string(max_chunk_line / 1024) +
                             " KiB");
  if (end == in.npos) {
    scanned_ = in.size();
    return std::nullopt;
  }
  scanned_ = 0;
  const std::string_view line = in.substr(0, end);
  in.remove_prefix(end + 1);
  if (end == 0 || line.find('\r') != end - 1)
    throw malformed_response("the line of a chunk's size does not end in CR LF");
  return line.substr(0, end - 1);
}

void response_parser::refuse_status_line(std::string_view line) {
  throw malformed_response("it does not begin with HTTP/1.0 or HTTP/1.1 and a status of three digits, but with " +
                           quoted(line));
}

// RFC 9112, 4: the reason phrase is for people, and some servers leave it away.
void response_parser::parse_status_line(std::string_view line) {
  constexpr std::string_view version = "HTTP/1.";
  constexpr std::size_t status_begin = version.size() + 2;
  constexpr std::size_t status_end = status_begin + 3;
  const bool right = line.starts_with(version) && line.size() >= status_end && is_digit(line[version.size()]) &&
                     line[status_begin - 1] == ' ' &&
                     std::ranges::all_of(line.substr(status_begin, 3), is_digit) && line[status_begin] != '0' &&
                     (line.size() == status_end || line[status_end] == ' ');
  if (!right) refuse_status_line(line);
  version_1_0_ = line[version.size()] == '0';
  status_ = 0;
  for (const char digit : line.substr(status_begin, 3)) status_ = 10 * status_ + static_cast<unsigned>(digit - '0');
  reason_ = without_controls(trimmed(line.substr(status_end)));
  headers_.clear();
  skipped_ = false;
  ambiguous_ = false;
  state_ = state::fields;
}

void response_parser::parse_field(std::string_view line) {
  if (blanks.find(line.front()) != blanks.npos) {  // RFC 9112, 5.2: a line that goes on
    if (skipped_) return;
    if (headers_.empty()) throw malformed_response("its first header line begins with a blank");
    headers_.back().second.append(" ").append(without_controls(trimmed(line)));
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) throw malformed_response("the header line " + quoted(line) + " has no colon");
  const std::string_view name = trimmed(line.substr(0, colon));
  skipped_ = !is_token(name);
  if (skipped_ || name.size() != colon) ambiguous_ = true;
  if (!skipped_) headers_.emplace_back(name, without_controls(trimmed(line.substr(colon + 1))));
}

// Whether this is the header of the response; else it is that of an interim one.
bool response_parser::end_header() {
  if (status_ < 200 && status_ != 101) {
    state_ = state::status_line;
    return false;
  }
  for (const auto& [name, value] : headers_) heed(name, value);
  frame_body();
  return true;
}

void response_parser::heed(std::string_view name, std::string_view value) {
  if (same_name(name, "content-length")) {
    for_each_element(value, [this](std::string_view length) { heed_length(length); });
  } else if (same_name(name, "transfer-encoding")) {
    for_each_element(value, [this](std::string_view coding) { heed_coding(coding); });
  } else if (same_name(name, "connection")) {
    for_each_element(value, [this](std::string_view option) {
      says_close_ = says_close_ || same_name(option, "close");
      says_keep_alive_ = says_keep_alive_ || same_name(option, "keep-alive");
    });
  }
}

void response_parser::heed_length(std::string_view text) {
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size())
    throw malformed_response("its Content-Length is " + quoted(text));
  if (length_ && *length_ != length)
    throw malformed_response("its Content-Length is both " + std::to_string(*length_) + " and " +
                             std::to_string(length));
  length_ = length;
}

void response_parser::heed_coding(std::string_view coding) {
  if (coding.empty()) return;
  if (same_name(coding, "identity")) {  // of RFC 2616
    ambiguous_ = true;
    return;
  }
  if (!same_name(coding, "chunked")) throw malformed_response("its Transfer-Encoding is " + quoted(coding));
  if (chunked_) throw malformed_response("its Transfer-Encoding is chunked twice");
  chunked_ = true;
}

// RFC 9112, 6.3.
void response_parser::frame_body() {
  has_body_ = expect_.body && status_ >= 200 && status_ != 204 && status_ != 304;
  // 6.1: it may be an attempt to have somebody on the way see other responses.
  if (chunked_ && (length_ || version_1_0_)) ambiguous_ = true;
  if (chunked_) length_.reset();
  if (!has_body_) {
    // Some servers send one all the same.
    if (status_ == 204 && length_.value_or(0) > 0) ambiguous_ = true;
    if (expect_.body && chunked_) ambiguous_ = true;
    state_ = state::done;
  } else if (chunked_) {
    state_ = state::chunk_size;
  } else if (length_) {
    left_ = *length_;
    state_ = left_ > 0 ? state::sized_body : state::done;
  } else {
    state_ = state::body_until_close;
  }
  const bool persistent = version_1_0_ ? says_keep_alive_ : true;
  keep_alive_ = persistent && !says_close_ && !ambiguous_ && state_ != state::body_until_close;
}

void response_parser::parse_chunk_size(std::string_view line) {
  std::string_view digits = line.substr(0, line.find(';'));  // what follows is an extension
  digits = digits.substr(0, digits.find_last_not_of(blanks) + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (error != std::errc{} || end != digits.data() + digits.size())
    throw malformed_response("the size of a chunk is " + quoted(digits));
  state_ = left_ > 0 ? state::chunk_data : state::trailer;
}

response_parser::found response_parser::take_body(std::string_view& in, std::string_view& body, state then) {
  if (in.empty()) return found::more;
  body = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size())));
  in.remove_prefix(body.size());
  left_ -= body.size();
  if (left_ == 0) state_ = then;
  return found::body;
}

}  // namespace dspu::app
