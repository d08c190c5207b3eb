#include "dspu/content_decoder.hpp"

#include "dspu/http_syntax.hpp"

#include <optional>

namespace dspu::app {

namespace {

constexpr std::size_t max_layers = 5;

std::optional<inflater::format> format_of(std::string_view coding) {
  if (same_name(coding, "gzip") || same_name(coding, "x-gzip")) return inflater::format::gzip;
  if (same_name(coding, "deflate")) return inflater::format::deflate;
  return std::nullopt;
}

}  // namespace

std::vector<std::string_view> content_codings(const header_list& headers) {
  std::vector<std::string_view> codings;
  for (const auto& [name, value] : headers) {
    if (!same_name(name, "Content-Encoding")) continue;
    for_each_element(value, [&](std::string_view coding) {
      if (!coding.empty() && !same_name(coding, "identity")) codings.push_back(coding);
    });
  }
  return codings;
}

std::string coding_list(const std::vector<std::string_view>& codings) {
  std::string text;
  for (const std::string_view coding : codings) text.append(text.empty() ? "" : ", ").append(coding);
  return text;
}

void content_decoder::reset(std::vector<std::string_view>& codings) {
  used_ = 0;
  while (!codings.empty()) {
    const auto format = format_of(codings.back());
    if (!format) return;
    if (used_ == max_layers)
      throw inflate_error("it is compressed more than " + std::to_string(max_layers) + " times");
    if (used_ == layers_.size()) layers_.push_back(std::make_unique<layer>());
    layers_[used_]->undo.reset(*format);
    layers_[used_]->bytes = 0;
    ++used_;
    codings.pop_back();
  }
}

void content_decoder::write(std::string_view bytes, std::uint64_t limit, const inflater::receiver& out) {
  write_layer(0, bytes, limit, out);
}

void content_decoder::write_layer(std::size_t i, std::string_view bytes, std::uint64_t limit,
                                  const inflater::receiver& out) {
  layer& here = *layers_[i];
  if (i + 1 == used_) return here.undo.write(bytes, out);
  here.undo.write(bytes, [&, i](std::span<const char> piece) {
    if (piece.size() > limit - here.bytes) throw inflate_limit_error("its layers unfold to too much");
    here.bytes += piece.size();
    write_layer(i + 1, {piece.data(), piece.size()}, limit, out);
  });
}

void content_decoder::finish(bool may_be_empty) {
  for (std::size_t i = 0; i < used_; ++i) {
    layers_[i]->undo.finish(may_be_empty);
    may_be_empty = true;  // what is compressed may be nothing
  }
}

}  // namespace dspu::app
