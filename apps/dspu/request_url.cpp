#include "dspu/request_url.hpp"

#include <boost/asio/ip/address_v6.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace urls = boost::urls;

[[noreturn]] void reject(std::string_view url, const std::string& what) {
  constexpr std::size_t shown = 200;
  std::string text = "URL \"" + std::string(url.substr(0, shown)) + (url.size() > shown ? "…\" " : "\" ");
  throw std::invalid_argument(text + what);
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

constexpr std::string_view illegal_marks = "\"<>\\^`{|}";

// A percent sign that two hexadecimal digits do not follow.
bool is_lone_percent(std::string_view text, std::size_t i) {
  return text[i] == '%' && !(i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]));
}

// The parser only says that a URL is wrong; people want to know where.
void check_characters(std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto after_authority = scheme_end == url.npos ? url.npos : url.find_first_of("/?#", scheme_end + 3);
  for (std::size_t i = 0; i < url.size(); ++i) {
    const auto c = static_cast<unsigned char>(url[i]);
    const std::string where = " at position " + std::to_string(i + 1);
    if (c <= ' ' || c == 0x7f)
      reject(url, "has a space or control character" + where + "; it must be percent-encoded");
    if (c > 0x7f) reject(url, "has a character outside ASCII" + where + "; it must be percent-encoded");
    const bool stray_bracket = (c == '[' || c == ']') && i > after_authority;
    if (stray_bracket || illegal_marks.find(url[i]) != illegal_marks.npos)
      reject(url, std::string("has the illegal character '") + url[i] + "'" + where +
                      "; it must be percent-encoded");
    if (is_lone_percent(url, i))
      reject(url, "has a '%'" + where + " that two hexadecimal digits do not follow");
  }
}

std::string scheme_of(std::string_view url, const urls::url_view& view) {
  std::string scheme = lower({view.scheme().data(), view.scheme().size()});
  if (scheme != "http" && scheme != "https")
    reject(url, "has the scheme \"" + scheme + "\"; accepted are http and https");
  return scheme;
}

std::string host_of(std::string_view url, const urls::url_view& view) {
  std::string host = view.host_address();
  if (host.empty()) reject(url, "names no host");
  switch (view.host_type()) {
    case urls::host_type::ipv4:
      return host;
    // One spelling for one address, so that one server is one origin.
    case urls::host_type::ipv6:
      return boost::asio::ip::make_address_v6(host).to_string();
    default:
      break;
  }
  const bool plain = std::ranges::all_of(host, [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || c == '.' || c == '-' || c == '_');
  });
  if (!plain)
    reject(url, "names the host \"" + host + "\"; a host name has letters, digits, '.', '-' and '_'");
  return lower(host);
}

std::uint16_t port_of(std::string_view url, const urls::url_view& view, std::string_view scheme) {
  const std::string_view digits{view.port().data(), view.port().size()};
  if (digits.empty()) return default_port(scheme);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size() || port == 0)
    reject(url, "has the port " + std::string(digits) + "; a port is a number from 1 to 65535");
  return port;
}

}  // namespace

std::size_t authority_end(std::string_view reference) {
  const auto slashes = reference.find("//");
  if (slashes == reference.npos || reference.substr(0, slashes).find_first_of("/?#") != reference.npos)
    return 0;
  return std::min(reference.find_first_of("/?#", slashes + 2), reference.size());
}

std::string percent_encode_illegal(std::string_view reference) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto path_begin = authority_end(reference);
  std::string result;
  result.reserve(reference.size());
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const auto c = static_cast<unsigned char>(reference[i]);
    const bool stray_bracket = (c == '[' || c == ']') && i >= path_begin;
    const bool illegal = c <= ' ' || c >= 0x7f || illegal_marks.find(reference[i]) != illegal_marks.npos;
    if (is_lone_percent(reference, i) || stray_bracket || illegal) {
      result += '%';
      result += digits[c >> 4];
      result += digits[c & 15];
    } else {
      result += reference[i];
    }
  }
  return result;
}

std::string normalize_url(std::string_view text) {
  const bool has_blank =
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  if (has_blank) reject(text, "has a blank or a control character; write a blank as %20");
  if (text.find("://") == text.npos) reject(text, "is not written in full, as https://example.com/path is");
  const std::string_view whole = text.substr(0, text.find('#'));
  const std::string_view front = whole.substr(0, authority_end(whole));
  if (std::ranges::any_of(front, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    reject(text, "has a host that is not in ASCII; write it in punycode (xn--...)");
  const std::string full = percent_encode_illegal(whole);
  static_cast<void>(parse_url(full));  // throws unless it is a URL that can be requested
  urls::url url(*urls::parse_uri(full));
  url.normalize_scheme();
  url.normalize_authority();
  return std::string(url.buffer());
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool brackets = host.find(':') != host.npos;
  std::string text;
  if (brackets) text += '[';
  text += host;
  if (brackets) text += ']';
  return text.append(":").append(std::to_string(port));
}

std::string origin::authority() const {
  std::string text = host_and_port(host, port);
  if (port == default_port(scheme)) text.resize(text.rfind(':'));
  return text;
}

std::string origin::to_string() const { return scheme + "://" + authority(); }

parsed_url parse_url(std::string_view url) {
  if (url.empty()) throw std::invalid_argument("URL is empty");
  check_characters(url);
  const auto parsed = urls::parse_uri({url.data(), url.size()});
  // Boost.URL 1.81 reads "http://host:8x/" as port 8 and path "x/".
  const bool loose_path =
      parsed && !parsed->encoded_path().empty() && !parsed->encoded_path().starts_with('/');
  if (!parsed || !parsed->has_authority() || loose_path)
    reject(url, "is not a URL of the form http://host/path or https://host/path");

  const urls::url_view& view = *parsed;
  parsed_url result;
  result.server.scheme = scheme_of(url, view);
  result.server.host = host_of(url, view);
  result.server.port = port_of(url, view, result.server.scheme);
  result.target = view.encoded_path().empty() ? std::string("/") : std::string(view.encoded_path());
  if (view.has_query())
    result.target.append("?").append(view.encoded_query().data(), view.encoded_query().size());
  if (view.has_userinfo()) result.userinfo = view.user() + ":" + view.password();
  return result;
}

}  // namespace dspu::app
