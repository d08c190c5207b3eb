#include "dspu/outgoing_request.hpp"

#include "dspu/http_syntax.hpp"
#include "dspu/net_errors.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace dspu::app {

namespace {

// Up to this size a body travels in the head's buffer: one write, and one TLS record.
constexpr std::size_t max_joined_body = 16 * 1024;

[[noreturn]] void refuse(const http_request& request, const std::string& why) {
  fail(transport_failure::unsendable, request.url, why);
}

// What would let a header break out of its line, or contradict the framing, never reaches the wire. Input has
// been checked for all of this when it was read.
void check(const http_request& request) {
  if (!is_token(request.method) || request.method == "CONNECT")
    refuse(request, "the method \"" + request.method +
                        "\" cannot be sent; a method is a word such as GET, and not CONNECT");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) refuse(request, "the header name \"" + name + "\" is not a token of RFC 9110");
    if (!is_field_value(value))
      refuse(request, "the value of header " + name + " has a control character; it may have none but tabs");
    if (same_name(name, "Transfer-Encoding"))
      refuse(request, "the header Transfer-Encoding is the client's own business");
  }
}

bool is_idempotent(const http_request& request) {
  constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(methods, request.method) != methods.end() ||
         !find_header(request.headers, "Idempotency-Key").empty();
}

bool has(const http_request& request, std::string_view name) {
  return std::ranges::any_of(request.headers,
                             [&](const auto& header) { return same_name(header.first, name); });
}

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

parsed_url parse_or_fail(const std::string& url) {
  try {
    return parse_url(url);
  } catch (const std::invalid_argument& error) {
    throw transport_error(transport_failure::unsendable, error.what());
  }
}

route route_to(const origin& server, const proxy_rules& proxies) {
  try {
    return {server, proxies.for_origin(server)};
  } catch (const std::invalid_argument& error) {
    throw transport_error(transport_failure::proxy, error.what());
  }
}

void add_request_line(const http_request& request, const parsed_url& url, const route& way,
                      std::string& head) {
  head.append(request.method).append(" ");
  if (way.proxy != nullptr && !way.tunnelled()) head += url.server.to_string();
  head.append(url.target).append(" HTTP/1.1\r\n");
}

void add_users_headers(const http_request& request, const route& way, std::string& head) {
  for (const auto& [name, value] : request.headers) {
    if (same_name(name, "Host") || same_name(name, "Content-Length")) continue;
    // Meant for the proxy, so the origin must not see it.
    if (same_name(name, "Proxy-Authorization") && (way.proxy == nullptr || way.tunnelled())) continue;
    add(head, name, value);
  }
}

void add_own_headers(const http_request& request, const outgoing_request& out, const client_headers& client,
                     std::string& head) {
  if (!has(request, "User-Agent")) add(head, "User-Agent", client.user_agent);
  if (!client.keep_alive && !has(request, "Connection")) add(head, "Connection", "close");
  if (!has(request, "Accept")) add(head, "Accept", "*/*");
  if (out.inflate) add(head, "Accept-Encoding", "gzip");
  const route& way = out.way;
  if (way.proxy != nullptr && !way.tunnelled() && !way.proxy->authorization.empty() &&
      !has(request, "Proxy-Authorization"))
    add(head, "Proxy-Authorization", way.proxy->authorization);
  const bool length_expected =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (!request.body.empty() || length_expected)
    add(head, "Content-Length", std::to_string(request.body.size()));
}

}  // namespace

std::string route::key() const {
  if (proxy == nullptr) return server.to_string();
  std::string text = "proxy ";
  text += proxy->to_string();
  if (tunnelled()) text.append(" ").append(server.to_string());
  return text;
}

outgoing_request compose(const http_request& request, const proxy_rules& proxies,
                         const client_headers& client) {
  check(request);
  const parsed_url url = parse_or_fail(request.url);
  outgoing_request out;
  out.way = route_to(url.server, proxies);
  out.answer_has_body = request.method != "HEAD";
  out.inflate = !has(request, "Accept-Encoding");
  out.close_after = !client.keep_alive || same_name(find_header(request.headers, "Connection"), "close");
  out.idempotent = is_idempotent(request);

  const bool joined = request.body.size() <= max_joined_body;
  out.head.reserve(512 + url.target.size() + (joined ? request.body.size() : 0));
  add_request_line(request, url, out.way, out.head);
  const std::string_view host = find_header(request.headers, "Host");
  add(out.head, "Host", host.empty() ? url.server.authority() : std::string(host));
  add_users_headers(request, out.way, out.head);
  add_own_headers(request, out, client, out.head);
  out.head += "\r\n";
  if (joined)
    out.head += request.body;
  else
    out.body = request.body;
  return out;
}

}  // namespace dspu::app
