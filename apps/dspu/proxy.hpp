// Which proxy, if any, a request goes through: the rules of curl's --proxy and of the usual environment
// variables.
#pragma once

#include "dspu/request_url.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

struct proxy_server {
  enum class protocol { http, socks5, socks5h };

  protocol speaks = protocol::http;
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // of HTTP: value of Proxy-Authorization, empty for none
  std::string user;           // of SOCKS5, empty for none
  std::string password;

  // SOCKS5 makes a tunnel of every connection, HTTP only of encrypted ones.
  bool is_socks() const { return speaks != protocol::http; }
  std::string to_string() const;
};

// Throws: std::invalid_argument naming `source` (the option or variable) and the value. Accepted are
// [http://][user:password@]host[:port], socks5:// (names are looked up here) and socks5h:// (by the proxy);
// the port defaults to 1080, as in curl.
proxy_server parse_proxy(std::string_view source, std::string_view url);

class proxy_rules {
 public:
  // Returns the variable's value, or null.
  using environment = std::function<const char*(const char*)>;

  // `chosen` is the --proxy option and wins over http_proxy (lower case only: a CGI client can set
  // HTTP_PROXY), https_proxy, HTTPS_PROXY, all_proxy and ALL_PROXY; an empty `chosen` means no proxy.
  // no_proxy or NO_PROXY exempts hosts from either. Throws: as parse_proxy, for `chosen`: a variable that
  // cannot be used is an error only for requests that it is meant for.
  proxy_rules(const std::optional<std::string>& chosen, const environment& env);

  // Null: connect directly. Otherwise valid as long as the rules.
  // Throws: std::invalid_argument if a variable names a proxy for `server` that cannot be used.
  const proxy_server* for_origin(const origin& server) const;

 private:
  struct choice {
    std::optional<proxy_server> server;
    std::string problem;  // with the variable, if it cannot be used
  };
  static choice from_environment(const environment& env, std::initializer_list<const char*> names);
  bool exempt(std::string_view host) const;

  choice http_;
  choice https_;
  std::vector<std::string> exemptions_;  // lower case, without a leading dot
};

// The process's environment.
proxy_rules::environment process_environment();

}  // namespace dspu::app
