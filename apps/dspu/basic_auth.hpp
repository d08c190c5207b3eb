// HTTP's Basic scheme (RFC 7617).
#pragma once

#include <string>
#include <string_view>

namespace dspu::app {

// The value of an Authorization header for "user:password".
std::string basic_authorization(std::string_view userinfo);

}  // namespace dspu::app
