// Base64 (RFC 4648, standard alphabet, with padding) for bodies inside JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

std::string base64_encode(std::string_view bytes);

// Nothing if `text` is not base64 in full, padding included.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace dspu::app
