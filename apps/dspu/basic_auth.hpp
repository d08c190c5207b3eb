// HTTP's Basic scheme (RFC 7617).
#pragma once

#include "dspu/transport.hpp"

#include <string>
#include <string_view>

namespace dspu::app {

// The value of an Authorization header for "user:password".
std::string basic_authorization(std::string_view userinfo);

// Makes an Authorization header of the credentials in the request's URL, unless it has one, and takes them
// out of the URL: so they are in no result, no message and no name of a file. Requires: a URL that parse_url
// takes.
void take_credentials_from_url(http_request& request);

}  // namespace dspu::app
