#include "dspu/proxy.hpp"

#include "dspu/basic_auth.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace ip = boost::asio::ip;

std::vector<std::string> split_exemptions(std::string_view list) {
  std::vector<std::string> result;
  std::string entry;
  const auto finish = [&] {
    if (entry.starts_with('.')) entry.erase(0, 1);
    if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
    if (!entry.empty()) result.push_back(std::move(entry));
    entry.clear();
  };
  for (const char c : list) {
    if (c == ',' || c == ' ' || c == '\t')
      finish();
    else
      entry += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  finish();
  return result;
}

// "10.0.0.0/8" holds 10.1.2.3.
bool in_network(const std::string& network, const ip::address& address) {
  boost::system::error_code ec;
  if (address.is_v4()) {
    const auto range = ip::make_network_v4(network, ec);
    if (ec) return false;
    return ip::make_network_v4(address.to_v4(), range.prefix_length()).canonical() == range.canonical();
  }
  const auto range = ip::make_network_v6(network, ec);
  if (ec) return false;
  return ip::make_network_v6(address.to_v6(), range.prefix_length()).canonical() == range.canonical();
}

bool has_suffix(std::string_view host, std::string_view suffix) {
  if (!host.ends_with(suffix)) return false;
  return host.size() == suffix.size() || host[host.size() - suffix.size() - 1] == '.';
}

std::optional<proxy_server::protocol> protocol_named(std::string_view scheme) {
  if (scheme == "http") return proxy_server::protocol::http;
  if (scheme == "socks5") return proxy_server::protocol::socks5;
  if (scheme == "socks5h") return proxy_server::protocol::socks5h;
  return std::nullopt;
}

}  // namespace

std::string proxy_server::to_string() const {
  return (is_socks() ? "socks5://" : "") + host_and_port(host, port);
}

proxy_server parse_proxy(std::string_view source, std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto protocol = protocol_named(scheme_end == url.npos ? "http" : url.substr(0, scheme_end));
  if (!protocol)
    throw std::invalid_argument(std::string(source) + " \"" + redact_url(url) +
                                "\": only http://, socks5:// and socks5h:// proxies are supported");
  const std::string_view rest = scheme_end == url.npos ? url : url.substr(scheme_end + 3);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  const auto host_begin = authority.rfind('@') == authority.npos ? 0 : authority.rfind('@') + 1;
  const bool has_port = authority.find_last_of(":]") != authority.npos &&
                        authority[authority.find_last_of(":]")] == ':' &&
                        authority.find_last_of(':') >= host_begin;
  try {
    const auto parsed = parse_url("http://" + std::string(authority));
    proxy_server result;
    result.host = parsed.server.host;
    result.port = has_port ? parsed.server.port : std::uint16_t{1080};
    result.speaks = *protocol;
    if (!parsed.userinfo) return result;
    const std::size_t colon = parsed.userinfo->find(':');
    result.user = parsed.userinfo->substr(0, colon);
    result.password = parsed.userinfo->substr(colon + 1);
    if (!result.is_socks()) result.authorization = basic_authorization(*parsed.userinfo);
    return result;
  } catch (const std::invalid_argument&) {
    throw std::invalid_argument(
        std::string(source) + " \"" + redact_url(url) +
        "\" is not of the form [http://|socks5://|socks5h://][user:password@]host[:port]");
  }
}

proxy_rules::choice proxy_rules::from_environment(const environment& env,
                                                  std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = env(name);
    if (value == nullptr || *value == '\0') continue;
    try {
      return {parse_proxy(name, value), {}};
    } catch (const std::invalid_argument& error) {
      return {std::nullopt, error.what()};
    }
  }
  return {};
}

proxy_rules::proxy_rules(const std::optional<std::string>& chosen, const environment& env) {
  if (chosen) {
    if (!chosen->empty()) http_.server = https_.server = parse_proxy("proxy", *chosen);
  } else {
    http_ = from_environment(env, {"http_proxy", "all_proxy", "ALL_PROXY"});
    https_ = from_environment(env, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
  }
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    const char* value = env(name);
    if (value == nullptr || *value == '\0') continue;
    exemptions_ = split_exemptions(value);
    break;
  }
}

const proxy_server* proxy_rules::for_origin(const origin& server) const {
  const choice& chosen = server.scheme == "https" ? https_ : http_;
  if ((!chosen.server && chosen.problem.empty()) || exempt(server.host)) return nullptr;
  if (!chosen.server) throw std::invalid_argument(chosen.problem);
  return &*chosen.server;
}

bool proxy_rules::exempt(std::string_view host) const {
  if (host.ends_with('.')) host.remove_suffix(1);
  boost::system::error_code ec;
  const auto address = ip::make_address(std::string(host), ec);
  const bool is_address = !ec;
  return std::ranges::any_of(exemptions_, [&](const std::string& entry) {
    if (entry == "*") return true;
    if (is_address) return entry == host || in_network(entry, address);
    return has_suffix(host, entry);
  });
}

proxy_rules::environment process_environment() {
  return [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  };
}

}  // namespace dspu::app
