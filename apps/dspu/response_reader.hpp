// Parses one response as its bytes come; the body goes straight on to a body_pipe.
#pragma once

#include "dspu/body_pipe.hpp"
#include "dspu/transport.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <string_view>

namespace dspu::app {

// Beast's own parser bounds a header line but not their sum; this one bounds both.
inline constexpr std::size_t max_header_size = 64 * 1024;

class response_reader final : public boost::beast::http::basic_parser<false> {
 public:
  struct expectations {
    bool body = true;      // false after HEAD
    bool inflate = false;  // undo Content-Encoding
    bool reused_connection = false;
  };
  response_reader(body_pipe& pipe, const expectations& expect);

  const http_response& response() const { return response_; }
  http_response take_response();
  // 100 Continue and its kind: the answer is still to come. Requires: is_header_done().
  bool interim() const { return response_.status / 100 == 1 && response_.status != 101; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;

  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int status, string_view, int, error_code&) override;
  void on_field_impl(boost::beast::http::field, string_view name, string_view value, error_code& ec) override;
  void on_header_impl(error_code& ec) override;
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view bytes, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override;
  void on_finish_impl(error_code&) override;

  body_pipe& pipe_;
  expectations expect_;
  http_response response_;
  std::size_t header_size_ = 0;
  bool header_complete_ = false;
};

}  // namespace dspu::app
