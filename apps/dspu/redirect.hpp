// What a redirect makes of a request: the next URL (RFC 3986) and the next request (RFC 9110, as browsers and
// curl do).
#pragma once

#include "dspu/transport.hpp"

#include <span>
#include <string>
#include <string_view>

namespace dspu::app {

// Whether `status` asks for another request at its Location: 301, 302, 303, 307 or 308.
bool is_redirect(unsigned status);

// Why an answer that should lead elsewhere leads nowhere, as "status 302 has no Location to follow"; empty if it can be
// followed, or is an answer of its own (304 among them).
std::string redirect_problem(unsigned status, std::string_view location);

// `location` seen from `base`, without a fragment. Characters that a Location should have percent-encoded
// (spaces, UTF-8, …) are encoded here, as every browser does; servers send them.
// Throws: std::invalid_argument if either cannot be read or the result is not http or https.
std::string resolve_redirect(std::string_view base, std::string_view location);

// The request that follows `request` when it was answered with `status` and `location`.
// 303 makes everything but HEAD a GET, 301 and 302 make POST a GET; 307 and 308 repeat the request. A GET
// made of another method loses its body. What is meant for one origin (Authorization, Cookie, Host,
// Proxy-Authorization, and the headers named in `for_one_origin_too`) is not sent to another. Credentials in
// `location` are used if no Authorization is left. Throws: as resolve_redirect.
http_request redirected(const http_request& request, unsigned status, std::string_view location,
                        std::span<const std::string> for_one_origin_too = {});

}  // namespace dspu::app
