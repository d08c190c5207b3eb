#include "dspu/serve_sender.hpp"

#include "dspu/gzip.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace dspu::app {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds endless_pause{10};
constexpr int drops = 20;

// Formatting a date for every answer would cost more than the rest of the answer's head.
const std::string& date_now() {
  thread_local std::string text;
  thread_local std::chrono::sys_seconds formatted;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (now != formatted || text.empty()) {
    text = http_date(now);
    formatted = now;
  }
  return text;
}

std::string_view piece_of(const serve_answer& answer, std::uint64_t from, std::uint64_t n) {
  if (answer.filler > 0) return filler(std::min(n, max_filler_piece));
  return std::string_view(answer.body).substr(static_cast<std::size_t>(from), static_cast<std::size_t>(n));
}

std::string content_length(std::uint64_t n) { return "Content-Length: " + std::to_string(n) + "\r\n"; }

}  // namespace

serve_sender::serve_sender(wire_stream& stream, serve_shared& shared)
    : stream_(stream), shared_(shared), timer_(stream.socket().get_executor()) {}

void serve_sender::close() {
  closed_ = true;
  timer_.cancel();
}

void serve_sender::start_head(const serve_answer& answer, const answer_framing& how,
                              const std::string& length) {
  out_.clear();
  out_.append("HTTP/1.1 ")
      .append(std::to_string(answer.status))
      .append(" ")
      .append(reason_phrase(answer.status));
  out_.append("\r\nServer: dspu\r\nDate: ").append(date_now()).append("\r\n");
  out_.append(answer.headers).append(length);
  if (how.says_close) out_ += "Connection: close\r\n";
  out_ += "\r\n";
}

asio::awaitable<bool> serve_sender::send(const serve_answer& answer, answer_kind kind, answer_framing how) {
  auto& record = shared_.record;
  const std::uint64_t length = answer.length();
  // Trouble with a body needs one.
  const bool in_body = kind == answer_kind::reset_in_body || kind == answer_kind::truncated ||
                       kind == answer_kind::slow || kind == answer_kind::wrong_length ||
                       kind == answer_kind::endless;
  if (in_body && (!how.with_body || length < 2)) kind = answer_kind::ok;
  record.answer(kind);

  switch (kind) {
    case answer_kind::reset_in_header: {
      start_head(answer, how, content_length(length));
      out_.resize(out_.size() / 2);
      co_await write(out_);
      stream_.reset();
      co_return false;
    }
    case answer_kind::reset_in_body:
    case answer_kind::truncated: {
      start_head(answer, how, content_length(length));
      const bool sent = co_await send_body(answer, length / 2);
      if (sent && kind == answer_kind::reset_in_body) stream_.reset();
      co_return false;
    }
    case answer_kind::endless: {
      start_head(answer, how, "Transfer-Encoding: chunked\r\n");
      co_return co_await send_endless_body();
    }
    default:
      break;
  }

  const bool short_length = kind == answer_kind::wrong_length;
  const bool framed = answer.has_body() || answer.status == 304;
  start_head(answer, how, framed ? content_length(short_length ? length / 2 : length) : std::string());
  bool sent = false;
  if (kind == answer_kind::slow)
    sent = co_await drip_body(answer);
  else
    sent = co_await send_body(answer, how.with_body ? length : 0);
  if (!sent) co_return false;
  record.status(answer.status);
  co_return !how.last;
}

// out_ holds the head, and the first piece of the body joins it.
asio::awaitable<bool> serve_sender::send_body(const serve_answer& answer, std::uint64_t length) {
  std::uint64_t sent = 0;
  do {
    const std::string_view piece = piece_of(answer, sent, length - sent);
    out_ += piece;
    const bool written = co_await write(out_);
    if (!written) co_return false;
    out_.clear();
    sent += piece.size();
  } while (sent < length);
  co_return true;
}

asio::awaitable<bool> serve_sender::drip_body(const serve_answer& answer) {
  bool written = co_await write(out_);
  const std::uint64_t length = answer.length();
  const std::uint64_t drop = std::max<std::uint64_t>(1, (length + drops - 1) / drops);
  std::uint64_t sent = 0;
  while (written && sent < length) {
    const bool waited = co_await wait(shared_.options.slow_duration / drops);
    if (!waited) co_return false;
    const std::string_view piece = piece_of(answer, sent, std::min(drop, length - sent));
    written = co_await write(piece);
    sent += piece.size();
  }
  co_return written;
}

asio::awaitable<bool> serve_sender::send_endless_body() {
  const std::string chunk = "4000\r\n" + std::string(filler(0x4000)) + "\r\n";
  bool written = co_await write(out_);
  while (written) {
    written = co_await write(chunk);
    if (written) written = co_await wait(endless_pause);
  }
  co_return false;
}

asio::awaitable<bool> serve_sender::write(std::string_view bytes) {
  error_code ec;
  co_await stream_.write(asio::buffer(bytes), ec);
  co_return !ec;
}

asio::awaitable<bool> serve_sender::wait(std::chrono::nanoseconds duration) {
  if (closed_) co_return false;
  if (duration <= std::chrono::nanoseconds::zero()) co_return true;
  timer_.expires_after(duration);
  error_code ec;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return !ec && !closed_;
}

}  // namespace dspu::app
