// Compresses what the unreliable server sends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dspu::app {

std::string gzip(std::string_view bytes);

// `n` bytes of filler, compressed, without ever being there in full.
std::string gzip_of_filler(std::uint64_t n);

// The filler: a line of 64 characters, over and over; `n` bytes of it from its beginning. n <= 64 KiB.
std::string_view filler(std::uint64_t n);
inline constexpr std::uint64_t max_filler_piece = 64 * 1024;

}  // namespace dspu::app
