#include "dspu/connection.hpp"

#include "dspu/body_pipe.hpp"
#include "dspu/config/values.hpp"
#include "dspu/net_errors.hpp"
#include "dspu/response_parser.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <string_view>

namespace dspu::app {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t head_read_size = 16 * 1024;
constexpr std::size_t body_read_size = 64 * 1024;

}  // namespace

// An answer on its way.
struct connection::reception {
  const outgoing_request& request;
  response_parser parser;
  body_pipe pipe;
  http_response response{};
  bool over = false;

  // Of the response, be it that its header cannot be read; 0 as long as there are only interim ones.
  unsigned status() const { return parser.status() >= 200 || parser.status() == 101 ? parser.status() : 0; }
};

connection::connection(const asio::any_io_executor& executor, std::string who)
    : stream_(executor), who_(std::move(who)) {}

asio::awaitable<http_response> connection::exchange(const outgoing_request& request, body_sink& sink,
                                                    exchange_terms terms) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  reusable_ = closed_unanswered_ = answered_ = false;
  written_ = 0;
  reception answer{.request = request,
                   .parser = response_parser({.body = request.answer_has_body}),
                   .pipe = body_pipe(sink, decoder_, terms.max_body, who_)};
  watched_exchange watched(terms.watch, stream_, terms.limits, terms.answer_by);
  answer.response.reused_connection = std::exchange(used_, true);
  try {
    error_code write_error;
    asio::const_buffer head = asio::buffer(request.head), body = asio::buffer(request.body);
    written_ = stream_.write_now(head, body, write_error);
    while (!write_error && head.size() + body.size() > 0) {
      written_ += co_await stream_.write_some(head, body, write_error);
      throw_if_cancelled(cancel);
      watched.wrote();
    }
    watched.sent();
    // A server that refuses a large body answers and closes before it has read all: its answer may be here
    // although the write failed. Without one, the read fails at once for the reason that the write did.
    while (!answer.over) {
      throw_if_cancelled(cancel);
      error_code ec;
      const std::size_t room = answer.parser.has_head() ? body_read_size : head_read_size;
      const std::size_t read = co_await stream_.read_some(buffer_.prepare(room), ec);
      if (ec) throw_if_cancelled(cancel);
      if (ec && watched.fault()) give_up(answer, *watched.fault(), terms);
      take(answer, read, ec);
      watched.read(read, answer.parser.has_head());
    }
    kept_ = answer.response.reused_connection || answer.parser.says_keep_alive();
    reusable_ = !watched.fault() && answer.parser.keeps_alive() && buffer_.size() == 0 && !write_error &&
                !request.close_after;
  } catch (transport_error& error) {
    error.set_progress({.sent = wrote_anything(), .status = answer.status(), .bytes = answer.pipe.bytes()});
    throw;
  }
  co_return std::move(answer.response);
}

void connection::give_up(const reception& answer, transfer_pace::fault why,
                         const exchange_terms& terms) const {
  const transfer_limits& limits = terms.limits;
  const std::string stall = config::format_duration(limits.stall) + " (--stall-timeout)";
  switch (why) {
    case transfer_pace::fault::first_byte:
      if (watched_exchange::clock::now() >= terms.answer_by)
        fail(transport_failure::first_byte_timeout, who_, "no answer before the deadline of the request");
      fail(transport_failure::first_byte_timeout, who_,
           "no answer within " + config::format_duration(limits.first_byte) + " (--first-byte-timeout)");
    case transfer_pace::fault::stall:
      fail(transport_failure::stalled, who_,
           answer.parser.has_head() ? "no byte of the body came for " + stall
                                    : "nothing of the request went out for " + stall);
    case transfer_pace::fault::slow:
      fail(transport_failure::stalled, who_,
           "less than " + std::to_string(limits.bytes_per_second) + " bytes a second came over " +
               config::format_duration(limits.measured_over) + " (--min-speed)");
  }
  fail(transport_failure::timeout, who_, "it took too long");
}

void connection::take(reception& answer, std::size_t read, const error_code& ec) {
  if (ec) return end_of_stream(answer, ec);
  answered_ = true;
  buffer_.commit(read);
  try {
    feed(answer);
  } catch (const malformed_response& error) {
    fail(transport_failure::protocol, who_, std::string("the response is malformed: ") + error.what());
  }
}

void connection::feed(reception& answer) {
  const std::string_view received(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  response_parser& parser = answer.parser;
  std::string_view rest = received;
  std::string_view piece;
  for (auto found = parser.next(rest, piece); found != response_parser::found::more;
       found = parser.next(rest, piece)) {
    if (found == response_parser::found::end) {
      answer.over = true;
      answer.pipe.finish(false);
      break;
    }
    if (found == response_parser::found::body) {
      answer.pipe.write(piece);
      continue;
    }
    answer.response.status = parser.status();
    answer.response.headers = parser.take_headers();
    if (parser.status() == 101)
      fail(transport_failure::protocol, who_, "the server switched to another protocol (status 101)");
    answer.pipe.begin(
        answer.response,
        {.body = parser.has_body(), .length = parser.body_length(), .inflate = answer.request.inflate});
  }
  answer.response.body_bytes = answer.pipe.bytes();
  buffer_.consume(received.size() - rest.size());
}

void connection::end_of_stream(reception& answer, const error_code& why) {
  if (why.category() == asio::error::get_ssl_category())
    fail(transport_failure::tls, who_, "TLS failed: " + why.message());
  const response_parser& parser = answer.parser;
  if (!parser.has_begun()) {
    closed_unanswered_ = !answered_;
    std::string what = "the connection ended before an answer (" + describe(why) + ")";
    if (!answer.request.idempotent && wrote_anything()) what += "; whether the request was carried out is unknown";
    fail(transport_failure::reset, who_, what);
  }
  if (why != asio::error::eof || !parser.ends_with_stream()) {
    const std::string part = parser.has_head() ? "body" : "header";
    fail(transport_failure::reset, who_, "the response ends within its " + part + " (" + describe(why) + ")");
  }
  answer.over = true;
  answer.pipe.finish(true);
}

}  // namespace dspu::app
