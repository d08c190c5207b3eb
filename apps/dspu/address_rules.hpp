// Which addresses of hosts are connected to: -4, -6 and --resolve.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dspu::app {

enum class ip_family { any, v4, v6 };
std::string_view to_string(ip_family family);

// A host that is not looked up.
struct given_host {
  std::string host;  // in small letters; "*" for every host
  std::uint16_t port = 0;
  std::vector<boost::asio::ip::address> addresses;
};

// "example.com:443:192.0.2.1,[2001:db8::1]". Throws: std::invalid_argument.
given_host parse_given_host(std::string_view text);

struct address_rules {
  ip_family family = ip_family::any;
  std::vector<given_host> hosts{};

  // The addresses that were given for a host; none, if it is to be looked up. The last that was given counts.
  std::vector<boost::asio::ip::address> given(std::string_view host, std::uint16_t port) const;
  // Those of the family, in their order.
  std::vector<boost::asio::ip::address> wanted(std::vector<boost::asio::ip::address> found) const;
};

}  // namespace dspu::app
