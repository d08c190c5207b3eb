#include "dspu/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace dspu::app {

namespace {

class deflater {
 public:
  deflater() {
    constexpr int gzip_window = 15 + 16;
    constexpr int default_memory = 8;
    if (deflateInit2(&z_, Z_BEST_SPEED, Z_DEFLATED, gzip_window, default_memory, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~deflater() { deflateEnd(&z_); }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;

  void write(std::string_view bytes, int flush, std::string& out) {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z_.avail_in = static_cast<uInt>(bytes.size());
    do {
      z_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      z_.avail_out = static_cast<uInt>(piece_.size());
      deflate(&z_, flush);
      out.append(piece_.data(), piece_.size() - z_.avail_out);
    } while (z_.avail_out == 0);
  }

 private:
  z_stream z_{};
  std::array<char, 16 * 1024> piece_;
};

std::string make_filler() {
  std::string line = "the quick brown fox jumps over the lazy dog, again and again...\n";
  std::string result;
  while (result.size() < max_filler_piece) result += line;
  return result;
}

}  // namespace

std::string gzip(std::string_view bytes) {
  std::string out;
  deflater d;
  d.write(bytes, Z_FINISH, out);
  return out;
}

std::string gzip_of_filler(std::uint64_t n) {
  std::string out;
  deflater d;
  while (n > 0) {
    const std::uint64_t piece = std::min(n, max_filler_piece);
    d.write(filler(piece), Z_NO_FLUSH, out);
    n -= piece;
  }
  d.write({}, Z_FINISH, out);
  return out;
}

std::string_view filler(std::uint64_t n) {
  static const std::string bytes = make_filler();
  return std::string_view(bytes).substr(0, static_cast<std::size_t>(n));
}

}  // namespace dspu::app
