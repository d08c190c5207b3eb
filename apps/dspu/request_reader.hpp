// Parses one request at a time on the server's side, into memory that is used again.
#pragma once

#include "dspu/transport.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace dspu::app {

struct incoming_request {
  std::string method;
  std::string target;
  header_list headers;
  std::string body;
};

class request_reader final : public boost::beast::http::basic_parser<true> {
 public:
  static constexpr std::size_t max_header = 64 * 1024;
  static constexpr std::size_t max_body = 16 * 1024 * 1024;

  // What `request` held is overwritten.
  explicit request_reader(incoming_request& request);

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view method, string_view target, int,
                       error_code&) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field, string_view name, string_view value, error_code& ec) override;
  void on_header_impl(error_code&) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override;
  void on_finish_impl(error_code&) override {}

  incoming_request& request_;
  std::size_t fields_ = 0;
  std::size_t header_size_ = 0;
};

}  // namespace dspu::app
