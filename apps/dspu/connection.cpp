#include "dspu/connection.hpp"

#include "dspu/net_errors.hpp"

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/error.hpp>

#include <optional>

namespace dspu::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::size_t head_read_size = 16 * 1024;
constexpr std::size_t body_read_size = 64 * 1024;
constexpr int max_interim_responses = 16;

[[noreturn]] void malformed(const std::string& who, const error_code& ec) {
  const std::string what = ec == http::error::header_limit
                               ? "the response's header is larger than the limit of 64 KiB"
                               : "the response is malformed: " + ec.message();
  fail(transport_failure::protocol, who, what);
}

}  // namespace

connection::connection(const asio::any_io_executor& executor, std::string who)
    : stream_(executor), who_(std::move(who)) {}

asio::awaitable<http_response> connection::exchange(const outgoing_request& request, body_sink& sink,
                                                    std::uint64_t max_body) {
  reusable_ = false;
  closed_unanswered_ = false;
  answered_ = false;
  written_ = 0;
  status_ = 0;
  body_pipe pipe(sink, inflater_, max_body, who_);
  try {
    co_return co_await converse(request, pipe);
  } catch (transport_error& error) {
    error.set_progress({.sent = wrote_anything(), .status = status_, .bytes = pipe.bytes()});
    throw;
  }
}

asio::awaitable<http_response> connection::converse(const outgoing_request& request, body_pipe& pipe) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  const response_reader::expectations expect{
      .body = request.answer_has_body, .inflate = request.inflate, .reused_connection = used_};
  used_ = true;

  error_code write_error;
  asio::const_buffer head = asio::buffer(request.head), body = asio::buffer(request.body);
  written_ = stream_.write_now(head, body, write_error);
  if (!write_error && head.size() + body.size() > 0) {
    written_ += co_await stream_.write(head, body, write_error);
    throw_if_cancelled(cancel);
  }

  // A server that refuses a large body answers and closes before it has read all: its answer may be here
  // although the write failed. Without one, the read fails at once for the reason that the write did.
  std::optional<response_reader> reader;
  int interim_left = max_interim_responses;
  do {
    if (interim_left-- == 0) fail(transport_failure::protocol, who_, "more than 16 interim (1xx) responses");
    reader.emplace(pipe, expect);
    if (buffer_.size() > 0) feed(*reader);  // what came together with an interim response
    while (!reader->is_done()) {
      throw_if_cancelled(cancel);
      error_code ec;
      const std::size_t read = co_await stream_.read_some(space_for(*reader), ec);
      if (ec) throw_if_cancelled(cancel);
      take(*reader, read, ec, request.idempotent);
    }
  } while (reader->interim());
  if (status_ == 101)
    fail(transport_failure::protocol, who_, "the server switched to another protocol (status 101)");

  reusable_ = reader->keep_alive() && buffer_.size() == 0 && !write_error && !request.close_after;
  co_return reader->take_response();
}

asio::mutable_buffer connection::space_for(const response_reader& reader) {
  return buffer_.prepare(reader.is_header_done() ? body_read_size : head_read_size);
}

void connection::take(response_reader& reader, std::size_t read, const error_code& ec, bool may_be_repeated) {
  if (ec) return end_of_stream(reader, ec, may_be_repeated);
  answered_ = true;
  buffer_.commit(read);
  feed(reader);
}

void connection::feed(response_reader& reader) {
  error_code ec;
  const std::size_t used = reader.put(buffer_.data(), ec);
  buffer_.consume(used);
  if (reader.is_header_done() && !reader.interim()) status_ = reader.response().status;
  if (ec && ec != http::error::need_more) malformed(who_, ec);
  // All that waits for more is one line: of the header, of a trailer, or a chunk's size.
  if (!reader.is_done() && buffer_.size() > max_header_size)
    fail(transport_failure::protocol, who_, "the response has a line longer than the limit of 64 KiB");
}

void connection::end_of_stream(response_reader& reader, const error_code& why, bool may_be_repeated) {
  if (why.category() == asio::error::get_ssl_category())
    fail(transport_failure::tls, who_, "TLS failed: " + why.message());
  if (!reader.got_some()) {
    closed_unanswered_ = !answered_;
    std::string what = "the connection ended before an answer (" + describe(why) + ")";
    if (!may_be_repeated && wrote_anything()) what += "; whether the request was carried out is unknown";
    fail(transport_failure::reset, who_, what);
  }
  error_code ec = http::error::partial_message;
  if (why == asio::error::eof) reader.put_eof(ec);
  if (!ec) return;
  const std::string part = reader.is_header_done() ? "body" : "header";
  fail(transport_failure::reset, who_, "the response ends within its " + part + " (" + describe(why) + ")");
}

}  // namespace dspu::app
