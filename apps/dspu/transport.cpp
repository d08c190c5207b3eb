#include "dspu/transport.hpp"

#include "dspu/http_syntax.hpp"

#include <algorithm>

namespace dspu::app {

std::string_view find_header(const header_list& headers, std::string_view name) {
  const auto found = std::ranges::find_if(headers, [&](const auto& h) { return same_name(h.first, name); });
  return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

transport_error::transport_error(transport_failure kind, const std::string& what)
    : std::runtime_error(what), kind_(kind) {
  switch (kind) {
    case transport_failure::dns:
    case transport_failure::dns_temporary:
    case transport_failure::connect:
    case transport_failure::connect_timeout:
    case transport_failure::proxy:
    case transport_failure::tls:
    case transport_failure::unsendable:
      progress_.sent = false;
      break;
    default:
      break;
  }
}

bool is_timeout(transport_failure kind) {
  return kind == transport_failure::timeout || kind == transport_failure::connect_timeout ||
         kind == transport_failure::first_byte_timeout || kind == transport_failure::stalled;
}

std::string_view to_string(transport_failure kind) {
  switch (kind) {
    case transport_failure::dns: return "dns";
    case transport_failure::dns_temporary:
      return "dns_temporary";
    case transport_failure::connect: return "connect";
    case transport_failure::proxy: return "proxy";
    case transport_failure::tls: return "tls";
    case transport_failure::reset: return "reset";
    case transport_failure::timeout: return "timeout";
    case transport_failure::connect_timeout:
      return "connect_timeout";
    case transport_failure::first_byte_timeout:
      return "first_byte_timeout";
    case transport_failure::stalled:
      return "stalled";
    case transport_failure::protocol: return "protocol";
    case transport_failure::body_too_large: return "body_too_large";
    case transport_failure::wrong_part:
      return "wrong_part";
    case transport_failure::sink: return "sink";
    case transport_failure::unsendable:
      return "unsendable";
  }
  return "unknown";
}

}  // namespace dspu::app
