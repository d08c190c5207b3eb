#include "dspu/request_reader.hpp"

#include <boost/beast/http/error.hpp>

namespace dspu::app {

request_reader::request_reader(incoming_request& request) : request_(request) {
  header_limit(static_cast<std::uint32_t>(max_header));
  body_limit(max_body);
  eager(true);
  request_.body.clear();
}

void request_reader::on_request_impl(boost::beast::http::verb, string_view method, string_view target, int,
                                     error_code&) {
  request_.method.assign(method.data(), method.size());
  request_.target.assign(target.data(), target.size());
}

void request_reader::on_field_impl(boost::beast::http::field, string_view name, string_view value,
                                   error_code& ec) {
  header_size_ += name.size() + value.size() + 4;
  if (header_size_ > max_header) {
    ec = boost::beast::http::error::header_limit;
    return;
  }
  if (is_header_done()) return;  // a trailer
  if (fields_ == request_.headers.size()) request_.headers.emplace_back();
  auto& header = request_.headers[fields_++];
  header.first.assign(name.data(), name.size());
  header.second.assign(value.data(), value.size());
}

void request_reader::on_header_impl(error_code&) { request_.headers.resize(fields_); }

std::size_t request_reader::on_body_impl(string_view bytes, error_code&) {
  request_.body.append(bytes.data(), bytes.size());
  return bytes.size();
}

std::size_t request_reader::on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) {
  request_.body.append(bytes.data(), bytes.size());
  return bytes.size();
}

}  // namespace dspu::app
