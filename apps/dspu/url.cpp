#include "dspu/url.hpp"

#include <boost/url.hpp>

#include <algorithm>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace urls = boost::urls;

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  constexpr std::size_t shown = 200;
  const std::string quoted(text.substr(0, shown));
  throw std::invalid_argument("'" + quoted + (text.size() > shown ? "…" : "") +
                              "' is not a usable URL: " + why);
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool may_stand(char c) {
  constexpr std::string_view marks = "-._~:/?@!$&'()*+,;=%";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         marks.find(c) != std::string_view::npos;
}

void append_escaped(std::string& out, char c) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += hex[byte >> 4];
  out += hex[byte & 15];
}

// Path and query with every byte that a URL may not hold percent-encoded; escapes that are there already
// stay, and a percent sign that begins none becomes one. Everything from the fragment's # on is left out.
std::string escaped(std::string_view rest) {
  std::string out;
  out.reserve(rest.size());
  for (std::size_t i = 0; i < rest.size() && rest[i] != '#'; ++i) {
    const bool lone_percent =
        rest[i] == '%' && !(i + 2 < rest.size() && is_hex(rest[i + 1]) && is_hex(rest[i + 2]));
    if (may_stand(rest[i]) && !lone_percent) {
      out += rest[i];
    } else {
      append_escaped(out, rest[i]);
    }
  }
  return out;
}

// Where the authority of an absolute URL ends, or npos.
std::size_t authority_end(std::string_view url) {
  const std::size_t slashes = url.find("://");
  if (slashes == std::string_view::npos) return slashes;
  return std::min(url.find_first_of("/?#", slashes + 3), url.size());
}

void check(std::string_view text, const urls::url_view& url) {
  if (url.scheme_id() != urls::scheme::http && url.scheme_id() != urls::scheme::https) {
    refuse(text, "the scheme must be http or https");
  }
  if (url.encoded_host().empty()) refuse(text, "it names no host");
  // Boost.URL 1.81 takes "http://host:8x/" for port 8 and path "x/".
  const bool path_hangs_loose = !url.encoded_path().empty() && !url.encoded_path().starts_with('/');
  if (path_hangs_loose) refuse(text, "its form is wrong after the host");
  const std::string_view port(url.port().data(), url.port().size());
  if (port.size() > 5 ||
      (!port.empty() && (std::stoul(std::string(port)) > 65535 || std::stoul(std::string(port)) == 0))) {
    refuse(text, "the port must be from 1 to 65535");
  }
}

}  // namespace

std::string normalize_url(std::string_view text) {
  const bool has_blank =
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  if (has_blank) refuse(text, "it holds a blank or a control character; write a blank as %20");
  const std::size_t end = authority_end(text);
  if (end == std::string_view::npos) refuse(text, "write it in full, as in https://example.com/path");
  const std::string_view front = text.substr(0, end);
  if (std::ranges::any_of(front, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    refuse(text, "write the host in ASCII (punycode, xn--...)");
  }
  const std::string full = std::string(front) + escaped(text.substr(end));
  const auto parsed = urls::parse_uri(full);
  if (!parsed) refuse(text, "its form is wrong");
  check(text, *parsed);
  urls::url url(*parsed);
  url.normalize_scheme();
  url.normalize_authority();
  return std::string(url.buffer());
}

}  // namespace dspu::app
