#include "dspu/request_line.hpp"

#include "dspu/base64.hpp"
#include "dspu/basic_auth.hpp"
#include "dspu/http_syntax.hpp"
#include "dspu/json_member.hpp"
#include "dspu/request_url.hpp"
#include "dspu/utf8.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace dspu::app {

namespace {

namespace json = boost::json;

constexpr std::string_view blanks = " \t\r\n\v\f";
constexpr std::size_t longest_id = 1024;

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

// Built up by appending: in front of a temporary, GCC 12 warns of an overlap that cannot be (PR105651).
std::string quoted(std::string_view text) {
  std::string out;
  out += '\'';
  out += text;
  out += '\'';
  return out;
}

// What is in front of the first blank: the rest may be a secret that a colon is missing for.
std::string first_word(std::string_view text) {
  const std::size_t blank = text.find_first_of(blanks);
  return quoted(blank == text.npos ? std::string(text) : std::string(text.substr(0, blank)) + " …");
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// A header that could end its line would let the input write headers, or requests, of its own; and what
// cannot be sent must not get as far as its origin's limits.
void check_header(std::string_view name, std::string_view value) {
  const std::string shown = first_word(name);
  if (!is_token(name)) refuse(shown + " is not a header name (letters, digits and -)");
  if (!is_field_value(value))
    refuse("the value of header " + shown + " holds a control character (a line break, NUL, …)");
  // As JSON can hold nothing else, --failed-to could not write it such that -i reads it.
  if (!is_utf8(value)) refuse("the value of header " + shown + " is not UTF-8");
  for (const std::string_view ours : {"Content-Length", "Transfer-Encoding"}) {
    if (same_name(name, ours)) refuse("header " + shown + " is set by dspu itself");
  }
  if (same_name(name, "Connection") && !same_name(value, "close"))
    refuse("header " + shown +
           " is set by dspu itself; it may only be close, as --no-keep-alive says it for all");
}

std::string_view as_text(const json::value& value, std::string_view key) {
  if (!value.is_string()) refuse("\"" + std::string(key) + "\" must be text");
  return {value.get_string().data(), value.get_string().size()};
}

void add_header(header_list& headers, std::string_view name, std::string_view value) {
  check_header(name, value);
  headers.emplace_back(name, value);
}

header_list read_headers(const json::value& value) {
  if (!value.is_object()) refuse("\"headers\" must be an object of names and values");
  header_list headers;
  for (const auto& [key, entry] : value.get_object()) {
    const std::string_view name(key.data(), key.size());
    if (!entry.is_array()) {
      add_header(headers, name, as_text(entry, name));
      continue;
    }
    for (const json::value& one : entry.get_array()) add_header(headers, name, as_text(one, name));
  }
  return headers;
}

std::string decode_body(const json::value& value) {
  auto bytes = base64_decode(as_text(value, "body_b64"));
  if (!bytes) refuse("\"body_b64\" is not base64 with padding");
  return *std::move(bytes);
}

json::object parse_object(std::string_view line) {
  boost::system::error_code error;
  json::value value = json::parse(line, error);
  if (error) refuse("not valid JSON: " + error.message());
  if (!value.is_object()) refuse("a JSON line must be an object");
  return std::move(value.get_object());
}

struct raw_request {
  std::optional<std::string> id;
  std::string url;
  std::optional<std::string> method;
  header_list headers;
  std::optional<std::string> body;
  bool is_json = false;  // the body
  std::string meta;
};

void set_body(raw_request& raw, std::string body) {
  if (raw.body) refuse("\"body\", \"body_b64\" and \"json\" exclude each other");
  raw.body = std::move(body);
}

// As it is written in the line.
std::string member(std::string_view line, std::string_view key) {
  const auto text = member_text(line, key);
  if (!text) refuse("the key \"" + std::string(key) + "\" must be written without escapes");
  return std::string(*text);
}

raw_request read_json(std::string_view line) {
  raw_request raw;
  bool has_url = false;
  for (const auto& [key, value] : parse_object(line)) {
    if (key == "id") {
      raw.id = read_id(value);
    } else if (key == "url") {
      raw.url = as_text(value, key);
      has_url = true;
    } else if (key == "method") {
      raw.method = parse_method(as_text(value, key));
    } else if (key == "headers") {
      raw.headers = read_headers(value);
    } else if (key == "body") {
      set_body(raw, std::string(as_text(value, key)));
    } else if (key == "body_b64") {
      set_body(raw, decode_body(value));
    } else if (key == "json") {
      set_body(raw, member(line, key));
      raw.is_json = true;
    } else if (key == "meta") {
      raw.meta = member(line, key);
    } else {
      refuse("unknown key \"" + std::string(key) +
             "\" (known: id, url, method, headers, body, body_b64, json, meta)");
    }
  }
  if (!has_url) refuse("\"url\" is missing");
  return raw;
}

raw_request read_url(std::string_view line) {
  raw_request raw;
  const std::size_t blank = line.find_first_of(blanks);
  raw.url = line.substr(0, blank);
  const std::string_view rest = blank == std::string_view::npos ? "" : trim(line.substr(blank));
  if (!rest.empty() && !rest.starts_with('#'))
    raw.url = line;  // and normalize_url says what a blank should be
  return raw;
}

void add_missing_headers(header_list& headers, const header_list& defaults) {
  const std::size_t own = headers.size();
  for (const auto& header : defaults) {
    const auto end = headers.begin() + static_cast<std::ptrdiff_t>(own);
    const bool overruled =
        std::any_of(headers.begin(), end, [&](const auto& h) { return same_name(h.first, header.first); });
    if (!overruled) headers.push_back(header);
  }
}

parsed_line complete(raw_request raw, const request_defaults& defaults) {
  parsed_line line;
  line.id = std::move(raw.id);
  line.meta = std::move(raw.meta);
  line.request.url = normalize_url(raw.url);
  line.request.headers = std::move(raw.headers);
  add_missing_headers(line.request.headers, defaults.headers);
  take_credentials_from_url(line.request);
  if (line.request.url != raw.url) line.asked = redact_url(raw.url);
  const bool own_body = raw.body.has_value();
  const bool has_body = own_body || defaults.body.has_value();
  if (has_body) {
    line.request.body = own_body ? *std::move(raw.body) : *defaults.body;
    // As curl --json and curl -d do; "body" and "body_b64" say themselves what they are.
    const bool typed = !find_header(line.request.headers, "Content-Type").empty();
    if (raw.is_json && !typed) line.request.headers.emplace_back("Content-Type", "application/json");
    if (!own_body && !typed)
      line.request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  }
  const std::string usual = has_body ? "POST" : "GET";
  line.request.method = raw.method ? *raw.method : defaults.method.value_or(usual);
  return line;
}

}  // namespace

std::string read_id(const json::value& value) {
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (!value.is_string()) refuse("\"id\" must be text or a whole number");
  const std::string id(as_text(value, "id"));
  if (id.empty() || id.size() > longest_id) {
    refuse("\"id\" must have 1 to " + std::to_string(longest_id) + " bytes; it has " +
           std::to_string(id.size()));
  }
  return id;
}

std::pair<std::string, std::string> parse_header(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) refuse(first_word(text) + " is not a header such as 'Name: value'");
  const std::string_view name = trim(text.substr(0, colon));
  const std::string_view value = trim(text.substr(colon + 1));
  check_header(name, value);
  return {std::string(name), std::string(value)};
}

std::string parse_method(std::string_view text) {
  if (!is_token(text)) refuse(quoted(text) + " is not an HTTP method such as GET or POST");
  if (text == "CONNECT") refuse("the method CONNECT asks for a tunnel, which is no request; use --proxy");
  return std::string(text);
}

std::optional<parsed_line> parse_request_line(std::string_view line, const request_defaults& defaults) {
  line = trim(line);
  if (line.empty() || line.starts_with('#')) return std::nullopt;
  if (line.find('\0') != std::string_view::npos) refuse("the line holds a NUL byte");
  return complete(line.starts_with('{') ? read_json(line) : read_url(line), defaults);
}

std::string to_request_line(std::string_view id, const http_request& request, std::string_view asked,
                            std::string_view meta) {
  json::object line;
  line["id"] = id;
  // If there were credentials in it, they are in a header.
  const bool had_credentials = asked.substr(0, authority_end(asked)).find('@') != asked.npos;
  line["url"] = asked.empty() || had_credentials ? std::string_view(request.url) : asked;
  line["method"] = request.method;
  if (!request.headers.empty()) {
    json::object& headers = line["headers"].emplace_object();
    for (const auto& [name, value] : request.headers) {
      json::value& entry = headers[name];
      if (entry.is_null()) entry.emplace_array();
      entry.get_array().emplace_back(value);
    }
  }
  // What is POST or the like and has no body must not get that of -d when it is read again.
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
    if (is_utf8(request.body)) {
      line["body"] = request.body;
    } else {
      line["body_b64"] = base64_encode(request.body);
    }
  }
  std::string text = json::serialize(line);
  if (!meta.empty()) text.insert(text.size() - 1, ",\"meta\":" + std::string(meta));
  return text;
}

}  // namespace dspu::app
