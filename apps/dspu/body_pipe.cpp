#include "dspu/body_pipe.hpp"

#include "dspu/net_errors.hpp"

#include <boost/beast/core/string.hpp>

namespace dspu::app {

namespace {

std::optional<inflater::format> format_of(std::string_view content_encoding) {
  const boost::beast::string_view name(content_encoding.data(), content_encoding.size());
  if (boost::beast::iequals(name, "gzip") || boost::beast::iequals(name, "x-gzip"))
    return inflater::format::gzip;
  if (boost::beast::iequals(name, "deflate")) return inflater::format::deflate;
  return std::nullopt;
}

}  // namespace

void body_pipe::begin(const http_response& head, std::optional<std::uint64_t> length, bool inflate) {
  const auto format = inflate ? format_of(find_header(head.headers, "Content-Encoding")) : std::nullopt;
  inflating_ = format.has_value();
  if (inflating_) {
    if (!shared_) shared_ = std::make_unique<inflater>();
    shared_->reset(*format);
  } else if (length && *length > max_body_) {
    too_large();
  }
  try {
    sink_.begin(head);
  } catch (const std::exception& error) {
    fail(transport_failure::sink, who_, std::string("the response cannot be kept: ") + error.what());
  }
}

void body_pipe::write(std::string_view bytes) {
  if (!inflating_) return deliver({bytes.data(), bytes.size()});
  try {
    shared_->write(bytes, [this](std::span<const char> piece) { deliver(piece); });
  } catch (const inflate_error& error) {
    fail(transport_failure::protocol, who_, std::string("the compressed body is corrupt: ") + error.what());
  }
}

void body_pipe::finish() {
  if (!inflating_) return;
  try {
    shared_->finish();
  } catch (const inflate_error& error) {
    fail(transport_failure::protocol, who_, std::string("the compressed body is cut short: ") + error.what());
  }
}

void body_pipe::deliver(std::span<const char> bytes) {
  if (bytes.size() > max_body_ - bytes_) too_large();
  bytes_ += bytes.size();
  try {
    sink_.write(bytes);
  } catch (const std::exception& error) {
    fail(transport_failure::sink, who_, std::string("the response cannot be kept: ") + error.what());
  }
}

void body_pipe::too_large() const {
  fail(transport_failure::body_too_large, who_,
       "the response's body is larger than --max-body, " + std::to_string(max_body_) + " bytes");
}

}  // namespace dspu::app
