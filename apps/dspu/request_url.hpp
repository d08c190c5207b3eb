// What it takes to request a URL: the origin to connect to, the request target, the credentials in it.
#pragma once

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

// "host:port" with the port always there and brackets around an IPv6 address: the target of a CONNECT.
std::string host_and_port(std::string_view host, std::uint16_t port);

}  // namespace dspu::app
