// URLs: as people write them, as they go out, and what it takes to request one: the origin to connect to, the
// request target, the credentials in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// Whom a URL talks to. Limits, breakers and kept-alive connections are all per origin.
struct origin {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address stands without its brackets
  std::uint16_t port = 0;

  // "host", or "host:port" where the port is not the scheme's default: the Host header.
  std::string authority() const;
  // "https://host:8443": equal strings mean equal origins.
  std::string to_string() const;

  bool operator==(const origin&) const = default;
};

struct parsed_url {
  origin server;
  std::string target;                   // path and query as written; never empty
  std::optional<std::string> userinfo;  // "user:password", percent-decoded
};

// Throws: std::invalid_argument naming the URL and what is wrong with it. A fragment is dropped.
parsed_url parse_url(std::string_view url);

// parse_url(url).server.to_string(), for less.
std::string origin_name(std::string_view url);

// `text` as an absolute http or https URL, fit for the wire: scheme and host in small letters, characters
// that a URL may not hold (umlauts, |, {) percent-encoded after the host, the fragment dropped. Throws:
// std::invalid_argument saying what is wrong with it.
std::string normalize_url(std::string text);

// For people and logs: with *** in place of a user name and password. Of what is no URL, or has a password
// with a slash in it, rather too much is hidden than too little.
std::string redact_url(std::string_view url);

// Takes "user:password@" out of a URL and returns "user:password", percent-decoded; nothing if it has none.
// Requires: a URL that parse_url takes.
std::optional<std::string> take_userinfo(std::string& url);

// A URL or a relative reference with all characters percent-encoded that may not stand where they do, a
// percent sign that begins no escape among them.
std::string percent_encode_illegal(std::string_view reference);

// Where the authority of a URL or reference ends; 0 if it has none.
std::size_t authority_end(std::string_view reference);

// "host:port" with the port always there and brackets around an IPv6 address: the target of a CONNECT.
std::string host_and_port(std::string_view host, std::uint16_t port);

}  // namespace dspu::app
