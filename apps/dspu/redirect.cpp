#include "dspu/redirect.hpp"

#include "dspu/basic_auth.hpp"
#include "dspu/http_syntax.hpp"
#include "dspu/request_url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace dspu::app {

namespace {

namespace urls = boost::urls;

// RFC 3986 section 5.2.4: nothing is above the root. Boost.URL 1.81 leaves such segments in place.
void remove_segments_above_root(std::string& url) {
  const auto path = authority_end(url);
  const auto is_above = [&] {
    const std::string_view rest = std::string_view(url).substr(path);
    return rest.starts_with("/..") && (rest.size() == 3 || std::string_view("/?").find(rest[3]) != rest.npos);
  };
  while (is_above()) url.erase(path, 3);
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::ranges::any_of(names, [&](std::string_view n) { return same_name(name, n); });
}

constexpr std::array<std::string_view, 4> for_one_origin{"Authorization", "Cookie", "Host",
                                                         "Proxy-Authorization"};
constexpr std::array<std::string_view, 6> about_the_body{
    "Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Location", "Expect"};

bool becomes_get(std::string_view method, unsigned status) {
  if (status == 303) return method != "HEAD" && method != "GET";
  return (status == 301 || status == 302) && method == "POST";
}

}  // namespace

bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string redirect_problem(unsigned status, std::string_view location) {
  constexpr unsigned not_modified = 304;
  if (status < 300 || status >= 400 || status == not_modified) return {};
  const std::string text = "status " + std::to_string(status);
  if (!is_redirect(status)) return text + " leads elsewhere, in a way that is not followed";
  return location.empty() ? text + " has no Location to follow" : std::string();
}

std::string resolve_redirect(std::string_view base, std::string_view location) {
  const origin from = parse_url(base).server;
  const std::string reference = percent_encode_illegal(trimmed(location));
  const auto parsed_base = urls::parse_uri({base.data(), base.size()});
  const auto parsed_reference = urls::parse_uri_reference(reference);
  urls::url next;
  if (reference.empty() || !parsed_reference || !urls::resolve(*parsed_base, *parsed_reference, next))
    throw std::invalid_argument("redirect from " + from.to_string() + " to \"" + redact_url(location) +
                                "\", which is not a URL");
  next.remove_fragment();
  std::string result(next.data(), next.size());
  remove_segments_above_root(result);
  static_cast<void>(parse_url(result));  // throws unless it is a URL that can be requested
  return result;
}

http_request redirected(const http_request& request, unsigned status, std::string_view location,
                        std::span<const std::string> for_one_origin_too) {
  if (!is_redirect(status))
    throw std::invalid_argument("status " + std::to_string(status) +
                                " is not a redirect; redirects are 301, 302, 303, 307 and 308");
  http_request next;
  next.url = resolve_redirect(request.url, location);
  const bool get = becomes_get(request.method, status);
  const bool elsewhere = parse_url(request.url).server != parse_url(next.url).server;
  next.method = get ? "GET" : request.method;
  if (!get) next.body = request.body;
  const auto stays = [&](std::string_view name) {
    return is_one_of(name, for_one_origin) ||
           std::ranges::any_of(for_one_origin_too, [&](const std::string& n) { return same_name(n, name); });
  };
  for (const auto& header : request.headers) {
    if (get && is_one_of(header.first, about_the_body)) continue;
    if (elsewhere && stays(header.first)) continue;
    next.headers.push_back(header);
  }
  take_credentials_from_url(next);
  return next;
}

}  // namespace dspu::app
