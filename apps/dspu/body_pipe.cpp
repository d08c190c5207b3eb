#include "dspu/body_pipe.hpp"

#include "dspu/net_errors.hpp"

namespace dspu::app {

void body_pipe::begin(http_response& head, const announced& what) {
  std::vector<std::string_view> codings;
  if (what.body) codings = content_codings(head.headers);
  std::vector<std::string_view> none;
  try {
    decoder_.reset(what.inflate ? codings : none);
  } catch (const inflate_error& error) {
    fail(transport_failure::protocol, who_, std::string("the body cannot be inflated: ") + error.what());
  }
  head.content_encoding = coding_list(codings);
  if (!decoder_.is_active() && what.body && what.length.value_or(0) > max_body_) too_large();
  try {
    sink_.begin(head);
  } catch (const transport_error&) {
    throw;
  } catch (const std::exception& error) {
    fail(transport_failure::sink, who_, std::string("the response cannot be kept: ") + error.what());
  }
}

void body_pipe::write(std::string_view bytes) {
  if (!decoder_.is_active()) return deliver({bytes.data(), bytes.size()});
  try {
    decoder_.write(bytes, max_body_, [this](std::span<const char> piece) { deliver(piece); });
  } catch (const inflate_limit_error&) {
    too_large();
  } catch (const inflate_error& error) {
    fail(transport_failure::protocol, who_, std::string("the compressed body is corrupt: ") + error.what());
  }
}

void body_pipe::finish(bool by_close) {
  try {
    decoder_.finish(!by_close);
  } catch (const inflate_error& error) {
    // Where the connection's end is the body's, one that ends too early is one that broke.
    fail(by_close ? transport_failure::reset : transport_failure::protocol, who_,
         std::string("the compressed body is cut short: ") + error.what());
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
