#include "dspu/inflater.hpp"

#include <zlib.h>

#include <array>
#include <new>
#include <string>

namespace dspu::app {

struct inflater::stream {
  z_stream z{};
  std::array<char, 16 * 1024> out;
  format f = format::gzip;
  bool initialised = false;
  bool started = false;
  bool ended = false;
};

inflater::inflater() : stream_(std::make_unique<stream>()) {}

inflater::~inflater() {
  if (stream_->initialised) inflateEnd(&stream_->z);
}

void inflater::reset(format f) {
  stream_->f = f;
  stream_->started = false;
  stream_->ended = false;
}

void inflater::start(unsigned char first_byte) {
  // "deflate" should mean the zlib format, but servers exist that send the bare one. The low four bits of a
  // zlib header are 8; no deflate block that a compressor writes begins so.
  constexpr int window = 15;
  int bits = window + 16;
  if (stream_->f == format::deflate) bits = (first_byte & 0x0f) == 8 ? window : -window;
  const int result =
      stream_->initialised ? inflateReset2(&stream_->z, bits) : inflateInit2(&stream_->z, bits);
  if (result != Z_OK) throw std::bad_alloc();
  stream_->initialised = true;
  stream_->started = true;
  stream_->ended = false;
}

void inflater::write(std::string_view compressed, const receiver& out) {
  z_stream& z = stream_->z;
  while (!compressed.empty()) {
    if (stream_->ended && stream_->f == format::deflate)
      throw inflate_error("bytes follow the end of the deflate stream");
    // A gzip body may be several members, one after the other.
    if (!stream_->started || stream_->ended) start(static_cast<unsigned char>(compressed.front()));
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    z.avail_in = static_cast<uInt>(compressed.size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(stream_->out.data());
      z.avail_out = static_cast<uInt>(stream_->out.size());
      const int result = inflate(&z, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        throw inflate_error(z.msg != nullptr ? z.msg : "corrupt compressed data");
      const std::size_t produced = stream_->out.size() - z.avail_out;
      if (produced > 0) out(std::span<const char>(stream_->out.data(), produced));
      stream_->ended = result == Z_STREAM_END;
    } while (!stream_->ended && (z.avail_in > 0 || z.avail_out == 0));
    compressed.remove_prefix(compressed.size() - z.avail_in);
  }
}

void inflater::finish(bool may_be_empty) {
  if (!stream_->started && !may_be_empty) throw inflate_error("there are no compressed data at all");
  if (stream_->started && !stream_->ended)
    throw inflate_error("the compressed data end before their end mark");
}

}  // namespace dspu::app
