#include "dspu/response_reader.hpp"

#include <boost/beast/http/error.hpp>

namespace dspu::app {

namespace http = boost::beast::http;

namespace {

constexpr std::size_t usual_headers = 8;

}  // namespace

response_reader::response_reader(body_pipe& pipe, const expectations& expect) : pipe_(pipe), expect_(expect) {
  response_.reused_connection = expect.reused_connection;
  header_limit(static_cast<std::uint32_t>(max_header_size));
  body_limit(boost::none);
  eager(true);
  skip(!expect.body);
}

http_response response_reader::take_response() {
  response_.body_bytes = pipe_.bytes();
  return std::move(response_);
}

void response_reader::on_response_impl(int status, string_view, int, error_code& ec) {
  // 0 is our own word for no answer, and what is below 100 means nothing at all.
  if (status < 100) ec = http::error::bad_status;
  response_.status = static_cast<unsigned>(status);
  response_.headers.reserve(usual_headers);
}

void response_reader::on_field_impl(http::field name, string_view name_text, string_view value,
                                    error_code& ec) {
  header_size_ += name_text.size() + value.size() + 4;
  if (header_size_ > max_header_size) {
    ec = http::error::header_limit;
    return;
  }
  if (header_complete_) return;  // a trailer: nobody asked for one
  // The parser undoes "chunked" and passes anything else through as if it were the body.
  if (name == http::field::transfer_encoding && !boost::beast::iequals(value, "chunked")) {
    ec = http::error::bad_transfer_encoding;
    return;
  }
  response_.headers.emplace_back(std::string(name_text), std::string(value));
}

void response_reader::on_header_impl(error_code&) {
  header_complete_ = true;
  if (interim()) return;
  std::optional<std::uint64_t> length;
  const bool has_body = expect_.body && !is_done();
  if (has_body && content_length()) length = *content_length();
  pipe_.begin(response_, length, expect_.inflate && has_body);
}

std::size_t response_reader::on_body_impl(string_view bytes, error_code&) {
  pipe_.write({bytes.data(), bytes.size()});
  return bytes.size();
}

std::size_t response_reader::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) {
  pipe_.write({bytes.data(), bytes.size()});
  return bytes.size();
}

void response_reader::on_finish_impl(error_code&) {
  if (!interim()) pipe_.finish();
}

}  // namespace dspu::app
