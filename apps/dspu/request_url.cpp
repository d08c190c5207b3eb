#include "dspu/request_url.hpp"

#include <boost/asio/ip/address_v6.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace urls = boost::urls;

[[noreturn]] void reject(std::string_view url, const std::string& what) {
  constexpr std::size_t shown = 200;
  const std::string safe = redact_url(url);
  std::string text = "URL \"" + safe.substr(0, shown) + (safe.size() > shown ? "…\" " : "\" ");
  throw std::invalid_argument(text + what);
}

// Whether what is behind a colon, if there is one, may be a port. If not, a password with a slash in it has
// been cut in two: "user:pass/word@host".
bool ends_in_port(std::string_view authority) {
  const std::size_t bracket = authority.find(']');
  const std::size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  if (colon == authority.npos) return true;
  const std::string_view port = authority.substr(colon + 1);
  return !port.empty() && std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

void append_host(std::string& out, std::string_view host) {
  const bool brackets = host.find(':') != host.npos;
  if (brackets) out += '[';
  out += host;
  if (brackets) out += ']';
}

void append_port(std::string& out, std::uint16_t port) { out.append(":").append(std::to_string(port)); }

void append_authority(std::string& out, const origin& server) {
  append_host(out, server.host);
  if (server.port != default_port(server.scheme)) append_port(out, server.port);
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

constexpr bool is_illegal(unsigned char c) {
  return c <= ' ' || c >= 0x7f || std::string_view("\"<>\\^`{|}").find(static_cast<char>(c)) != std::string_view::npos;
}

// What may stand anywhere in a URL; the others are looked at more closely.
constexpr auto harmless = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < table.size(); ++c) {
    const auto letter = static_cast<unsigned char>(c);
    table[c] = !is_illegal(letter) && letter != '%' && letter != '[' && letter != ']';
  }
  return table;
}();

bool is_harmless(char c) { return harmless[static_cast<unsigned char>(c)]; }

bool is_normal(std::string_view front) {
  return std::ranges::none_of(front, [](char c) { return (c >= 'A' && c <= 'Z') || c == '%'; });
}

// A percent sign that two hexadecimal digits do not follow.
bool is_lone_percent(std::string_view text, std::size_t i) {
  return text[i] == '%' && !(i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]));
}

// The parser only says that a URL is wrong; people want to know where.
void check_characters(std::string_view url, std::size_t after_authority) {
  for (std::size_t i = 0; i < url.size(); ++i) {
    if (is_harmless(url[i])) continue;
    const auto c = static_cast<unsigned char>(url[i]);
    const auto where = [i] { return " at position " + std::to_string(i + 1); };
    if (c <= ' ' || c == 0x7f)
      reject(url, "has a space or control character" + where() + "; it must be percent-encoded");
    if (c > 0x7f) reject(url, "has a character outside ASCII" + where() + "; it must be percent-encoded");
    const bool stray_bracket = (c == '[' || c == ']') && i > after_authority;
    if (stray_bracket || is_illegal(c))
      reject(url, std::string("has the illegal character '") + url[i] + "'" + where() +
                      "; it must be percent-encoded");
    if (is_lone_percent(url, i))
      reject(url, "has a '%'" + where() + " that two hexadecimal digits do not follow");
  }
}

std::string scheme_of(std::string_view url, const urls::url_view& view) {
  std::string scheme = lower({view.scheme().data(), view.scheme().size()});
  if (scheme != "http" && scheme != "https")
    reject(url, "has the scheme \"" + scheme + "\"; accepted are http and https");
  return scheme;
}

// RFC 1035, 2.3.4. The root alone is no host, and a certificate for no name is one for any.
void check_labels(std::string_view url, std::string_view name) {
  constexpr std::size_t longest_label = 63;
  constexpr std::size_t longest_name = 253;
  std::string_view rest = name;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  bool right = rest.size() <= longest_name;
  for (std::size_t dot = 0; right && dot != rest.npos; rest.remove_prefix(dot == rest.npos ? 0 : dot + 1)) {
    dot = rest.find('.');
    const std::size_t length = std::min(dot, rest.size());
    right = length >= 1 && length <= longest_label;
  }
  if (!right)
    reject(url, "names the host \"" + std::string(name) +
                    "\"; between its dots a host name has 1 to 63 characters, and at most 253 in all");
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
  check_labels(url, host);
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

[[noreturn]] void reject_form(std::string_view url) {
  // "http://user:pass/word@host/" names the host "user" and the port "pass".
  if (url.substr(authority_end(url)).find('@') != url.npos)
    reject(url, "has a '@' behind the host; in a user name or password '/', '?' and '#' must be percent-encoded");
  reject(url, "is not a URL of the form http://host/path or https://host/path");
}

// What stands in front of the path: whom to ask, and as whom.
struct front_part {
  std::string text;
  bool normal = false;  // as normalize_url would write it
  origin server;
  std::string name;  // of the server, as origin::to_string() says it
  std::optional<std::string> userinfo;
};

// `url` is for messages.
front_part parse_front(std::string_view front, std::string_view url) {
  if (std::ranges::count(front, '@') > 1)
    reject(url, "has several '@' in front of its path; in a user name or password '@' is written %40");
  const auto parsed = urls::parse_uri({front.data(), front.size()});
  // Boost.URL 1.81 reads "http://host:8x" as port 8 and path "x".
  if (!parsed || !parsed->has_authority() || !parsed->encoded_path().empty()) reject_form(url);
  const urls::url_view& view = *parsed;
  front_part result;
  result.server.scheme = scheme_of(url, view);
  result.server.host = host_of(url, view);
  result.server.port = port_of(url, view, result.server.scheme);
  result.name = result.server.to_string();
  if (view.has_userinfo()) result.userinfo = view.user() + ":" + view.password();
  result.text = front;
  result.normal = is_normal(front);
  return result;
}

struct split_url {
  const front_part& front;
  std::string_view rest;  // path and query
};

// Lists name the same few servers again and again: what was found out about the last ones is kept.
front_part& place_of(std::string_view front) {
  thread_local std::array<front_part, 64> known;
  return known[std::hash<std::string_view>{}(front) % known.size()];
}

// Whether it is a URL that has nothing to normalize, of a server that is known: true of nearly all of a list.
bool is_plain(std::string_view url) {
  if (!std::ranges::all_of(url, [](char c) { return is_harmless(c) && c != '#'; })) return false;
  const std::string_view front = url.substr(0, authority_end(url));
  const front_part& here = place_of(front);
  return !front.empty() && here.normal && here.text == front;
}

split_url split(std::string_view url) {
  if (url.empty()) throw std::invalid_argument("URL is empty");
  const std::size_t front_end = authority_end(url);
  check_characters(url, front_end);
  const std::size_t end = std::min(url.find('#', front_end), url.size());
  if (front_end == 0 || url.find('#', end + 1) != url.npos) reject_form(url);

  const std::string_view front = url.substr(0, front_end);
  front_part& here = place_of(front);
  if (here.text != front) here = parse_front(front, url);
  return {here, url.substr(front_end, end - front_end)};
}

}  // namespace

std::size_t authority_end(std::string_view reference) {
  // Not find_first_of, which calls memchr for each character.
  const auto end_of_part = [&](std::size_t begin) {
    const auto ends = [](char c) { return c == '/' || c == '?' || c == '#'; };
    return static_cast<std::size_t>(std::ranges::find_if(reference.substr(begin), ends) - reference.begin());
  };
  const std::size_t slashes = end_of_part(0);
  return reference.substr(slashes).starts_with("//") ? end_of_part(slashes + 2) : 0;
}

std::string redact_url(std::string_view url) {
  const std::size_t slashes = url.find("://");
  const std::size_t begin = slashes == url.npos ? 0 : slashes + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const std::string_view authority = url.substr(begin, end - begin);
  std::size_t at = authority.rfind('@');
  if (at == authority.npos && !ends_in_port(authority)) at = url.substr(begin).rfind('@');
  std::string result(url);
  if (at != url.npos) result.replace(begin, at, "***");
  return result;
}

std::optional<std::string> take_userinfo(std::string& url) {
  if (std::string_view(url).substr(0, authority_end(url)).find('@') == std::string_view::npos)
    return std::nullopt;
  const auto parsed = urls::parse_uri({url.data(), url.size()});
  std::string userinfo = parsed->user() + ":" + parsed->password();
  url.erase(url.find("//") + 2, parsed->encoded_userinfo().size() + 1);
  if (userinfo == ":") return std::nullopt;
  return userinfo;
}

std::string percent_encode_illegal(std::string_view reference) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto path_begin = authority_end(reference);
  std::string result;
  result.reserve(reference.size());
  for (std::size_t i = 0; i < reference.size(); ++i) {
    if (is_harmless(reference[i])) {
      result += reference[i];
      continue;
    }
    const auto c = static_cast<unsigned char>(reference[i]);
    const bool stray_bracket = (c == '[' || c == ']') && i >= path_begin;
    if (is_lone_percent(reference, i) || stray_bracket || is_illegal(c)) {
      result += '%';
      result += digits[c >> 4];
      result += digits[c & 15];
    } else {
      result += reference[i];
    }
  }
  return result;
}

std::string normalize_url(std::string text) {
  if (is_plain(text)) return text;
  const bool has_blank =
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  if (has_blank) reject(text, "has a blank or a control character; write a blank as %20");
  if (text.find("://") == text.npos) reject(text, "is not written in full, as https://example.com/path is");
  const std::string_view whole = std::string_view(text).substr(0, text.find('#'));
  const std::string_view front = whole.substr(0, authority_end(whole));
  // In a user name or password such characters are percent-encoded.
  const std::string_view host = front.substr(std::min(front.rfind('@'), front.size()));
  const std::string_view checked = host.empty() ? front : host;
  if (std::ranges::any_of(checked, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    reject(text, "has a host that is not in ASCII; write it in punycode (xn--...)");
  std::string full = percent_encode_illegal(whole);
  static_cast<void>(split(full));  // throws unless it is a URL that can be requested
  if (is_normal(front)) return full;
  urls::url url(*urls::parse_uri(full));
  url.normalize_scheme();
  url.normalize_authority();
  return std::string(url.buffer());
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  std::string text;
  append_host(text, host);
  append_port(text, port);
  return text;
}

std::string origin::authority() const {
  std::string text;
  append_authority(text, *this);
  return text;
}

std::string origin::to_string() const {
  std::string text;
  text.reserve(scheme.size() + host.size() + sizeof "://[]:65535");
  text.append(scheme).append("://");
  append_authority(text, *this);
  return text;
}

parsed_url parse_url(std::string_view url) {
  const auto [front, rest] = split(url);
  parsed_url result{front.server, {}, front.userinfo};
  result.target.reserve(rest.size() + 1);
  if (!rest.starts_with('/')) result.target += '/';
  result.target += rest;
  return result;
}

std::string origin_name(std::string_view url) { return split(url).front.name; }

}  // namespace dspu::app
