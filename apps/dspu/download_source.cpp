#include "dspu/download_source.hpp"

#include "dspu/digest.hpp"
#include "dspu/json_writer.hpp"
#include "dspu/http_date.hpp"
#include "dspu/retry_after.hpp"
#include "dspu/utf8.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <chrono>
#include <limits>

namespace dspu::app {

namespace {

// 8.8.2.2: it may have changed twice in the second of its Last-Modified, unless that has long been over.
bool is_strong_date(const header_list& headers, std::string_view last_modified) {
  const auto epoch = std::chrono::sys_seconds{};
  const auto changed = parse_http_date(last_modified, epoch);
  const auto sent = parse_http_date(find_header(headers, "Date"), epoch);
  return changed && sent && *sent - *changed >= std::chrono::seconds(60);
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct content_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t length = 0;
};

// "bytes 100-199/200"
std::optional<content_range> read_content_range(std::string_view text) {
  if (!take(text, "bytes ")) return std::nullopt;
  const auto first = take_number(text);
  if (!first || !take(text, "-")) return std::nullopt;
  const auto last = take_number(text);
  if (!last || !take(text, "/")) return std::nullopt;
  const auto length = take_number(text);
  if (!length || !text.empty()) return std::nullopt;
  return content_range{*first, *last, *length};
}

std::optional<std::uint64_t> content_length(const header_list& headers) {
  std::string_view text = find_header(headers, "Content-Length");
  const auto length = take_number(text);
  return length && text.empty() ? length : std::nullopt;
}

// A URL may hold a password.
std::string fingerprint(std::string_view url) {
  std::string text;
  append_short_hex(text, digest_of({url}));
  return text;
}

}  // namespace

std::optional<download_source> source_of(const http_response& head) {
  const auto length = content_length(head.headers);
  const bool plain = find_header(head.headers, "Content-Encoding").empty() &&
                     find_header(head.headers, "Transfer-Encoding").empty();
  if (head.status != 200 || !length || !plain) return std::nullopt;
  const std::string_view etag = find_header(head.headers, "ETag");
  const std::string_view changed = find_header(head.headers, "Last-Modified");
  if (etag.starts_with('"') && is_utf8(etag)) return download_source{std::string(etag), *length};
  // A weak one says that the Last-Modified is no better.
  if (etag.empty() && is_strong_date(head.headers, changed))
    return download_source{std::string(changed), *length};
  return std::nullopt;
}

header_list headers_for_rest(const download_source& of, std::uint64_t bytes) {
  return {{"Range", "bytes=" + std::to_string(bytes) + "-"},
          {"If-Range", of.validator},
          {"Accept-Encoding", "identity"}};  // bytes of something compressed would be others
}

continuation continuation_in(const http_response& head, const download_source& of, std::uint64_t bytes) {
  if (head.status == 416) return continuation::wrong;
  if (head.status == 200) return continuation::anew;
  if (head.status != 206) return continuation::other;
  const auto range = read_content_range(find_header(head.headers, "Content-Range"));
  const std::string_view etag = find_header(head.headers, "ETag");
  const bool same = etag.empty() || !of.validator.starts_with('"') || etag == of.validator;
  const bool right =
      range && range->first == bytes && range->length == of.length && range->last + 1 == of.length;
  return right && same && find_header(head.headers, "Content-Encoding").empty() ? continuation::rest
                                                                                : continuation::wrong;
}

std::string to_line(const download_source& source, std::string_view url) {
  std::string line;
  json_writer json(line);
  json.begin_object();
  json.member("v", 1u);
  json.member("of", fingerprint(url));
  json.member("validator", source.validator);
  json.member("length", source.length);
  json.end_object();
  line += '\n';
  return line;
}

std::optional<download_source> download_source_from(std::string_view line, std::string_view url) {
  boost::json::error_code error;
  const auto value = boost::json::parse({line.data(), line.size()}, error);
  const auto* object = error ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto* of = object->if_contains("of");
  const auto* validator = object->if_contains("validator");
  const auto* length = object->if_contains("length");
  if (of == nullptr || validator == nullptr || length == nullptr) return std::nullopt;
  const bool fits = of->is_string() && of->get_string() == fingerprint(url) && validator->is_string() &&
                    length->is_int64() && length->get_int64() > 0;
  if (!fits) return std::nullopt;
  return download_source{std::string(validator->get_string()),
                         static_cast<std::uint64_t>(length->get_int64())};
}

}  // namespace dspu::app
