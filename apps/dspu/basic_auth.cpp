#include "dspu/basic_auth.hpp"

#include <openssl/evp.h>

#include <vector>

namespace dspu::app {

std::string basic_authorization(std::string_view userinfo) {
  std::vector<unsigned char> encoded(4 * (userinfo.size() / 3 + 1) + 1);
  const int length = EVP_EncodeBlock(encoded.data(), reinterpret_cast<const unsigned char*>(userinfo.data()),
                                     static_cast<int>(userinfo.size()));
  return "Basic " + std::string(encoded.begin(), encoded.begin() + length);
}

}  // namespace dspu::app
