#include "dspu/basic_auth.hpp"

#include "dspu/http_syntax.hpp"
#include "dspu/request_url.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

namespace dspu::app {

std::string basic_authorization(std::string_view userinfo) {
  std::vector<unsigned char> encoded(4 * (userinfo.size() / 3 + 1) + 1);
  const int length = EVP_EncodeBlock(encoded.data(), reinterpret_cast<const unsigned char*>(userinfo.data()),
                                     static_cast<int>(userinfo.size()));
  return "Basic " + std::string(encoded.begin(), encoded.begin() + length);
}

void take_credentials_from_url(http_request& request) {
  const auto userinfo = take_userinfo(request.url);
  if (!userinfo) return;
  const bool has_own = std::ranges::any_of(
      request.headers, [](const auto& header) { return same_name(header.first, "Authorization"); });
  if (!has_own) request.headers.emplace_back("Authorization", basic_authorization(*userinfo));
}

}  // namespace dspu::app
