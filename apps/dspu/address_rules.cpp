#include "dspu/address_rules.hpp"

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ranges>
#include <stdexcept>

namespace dspu::app {

namespace {

[[noreturn]] void refuse(std::string_view text) {
  throw std::invalid_argument(
      "'" + std::string(text) +
      "' is not of the form HOST:PORT:ADDRESS[,ADDRESS...], as example.com:443:192.0.2.1");
}

}  // namespace

std::string_view to_string(ip_family family) {
  return family == ip_family::v4 ? "IPv4" : family == ip_family::v6 ? "IPv6" : "IP";
}

given_host parse_given_host(std::string_view text) {
  const std::size_t host_end = text.find(':');
  const std::size_t port_end = host_end == text.npos ? text.npos : text.find(':', host_end + 1);
  if (host_end == 0 || port_end == text.npos) refuse(text);
  given_host made;
  made.host = text.substr(0, host_end);
  for (char& c : made.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::string_view port = text.substr(host_end + 1, port_end - host_end - 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), made.port);
  if (error != std::errc{} || end != port.data() + port.size() || made.port == 0) refuse(text);
  std::string_view rest = text.substr(port_end + 1);
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view address = rest.substr(0, comma);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    boost::system::error_code wrong;
    made.addresses.push_back(boost::asio::ip::make_address(std::string(address), wrong));
    if (wrong) refuse(text);
    if (comma == rest.npos) return made;
    rest.remove_prefix(comma + 1);
  }
}

std::vector<boost::asio::ip::address> address_rules::given(std::string_view host, std::uint16_t port) const {
  const auto fits = [&](const given_host& known) {
    return known.port == port && (known.host == host || known.host == "*");
  };
  const auto last_first = std::views::reverse(hosts);
  const auto found = std::ranges::find_if(last_first, fits);
  return found == last_first.end() ? std::vector<boost::asio::ip::address>() : wanted(found->addresses);
}

std::vector<boost::asio::ip::address> address_rules::wanted(
    std::vector<boost::asio::ip::address> found) const {
  if (family != ip_family::any)
    std::erase_if(found, [&](const auto& address) { return address.is_v4() != (family == ip_family::v4); });
  return found;
}

}  // namespace dspu::app
