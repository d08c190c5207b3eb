#include "dspu/serve_session.hpp"

#include "dspu/gzip.hpp"
#include "dspu/net_errors.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cmath>

namespace dspu::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds endless_pause{10};
constexpr int drops = 20;

std::optional<core::token_bucket> bucket_of(const serve_options& options, core::instant start) {
  if (!options.limit) return std::nullopt;
  core::token_bucket_options bucket;
  bucket.rate = options.limit->amount;
  bucket.per = options.limit->per;
  bucket.capacity = options.limit->burst > 0 ? options.limit->burst : std::max(1.0, options.limit->amount);
  return core::token_bucket(bucket, start);
}

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

serve_shared::serve_shared(const serve_options& o)
    : options(o), dice(o), limit(bucket_of(o, core::instant_of(start))) {}

serve_session::serve_session(asio::ip::tcp::socket socket, std::shared_ptr<serve_shared> shared)
    : shared_(std::move(shared)), stream_(std::move(socket)), timer_(stream_.socket().get_executor()) {
  shared_->record.connection_opened();
}

serve_session::~serve_session() { shared_->record.connection_closed(); }

void serve_session::close() {
  closed_ = true;
  timer_.cancel();
  stream_.close();
}

asio::awaitable<void> serve_session::run(std::shared_ptr<serve_session> self) {
  stream_.tune();
  bool goes_on = co_await handshake();
  while (goes_on && !self->closed_) {
    goes_on = co_await read_request();
    if (!goes_on) break;
    ++served_;
    const std::uint64_t n = shared_->record.request(request_.target, serve_shared::clock::now());
    goes_on = co_await respond(n);
  }
  stream_.close();
}

asio::awaitable<bool> serve_session::handshake() {
  if (!shared_->tls) co_return true;
  auto& session = stream_.start_tls(*shared_->tls);
  error_code ec;
  co_await session.async_handshake(asio::ssl::stream_base::server,
                                   asio::redirect_error(asio::use_awaitable, ec));
  co_return !ec;
}

asio::awaitable<bool> serve_session::read_request() {
  request_reader reader(request_);
  while (true) {
    if (buffer_.size() > 0) {
      error_code ec;
      buffer_.consume(reader.put(buffer_.data(), ec));
      if (ec && ec != http::error::need_more) {
        shared_->record.connection_malformed();
        co_return false;
      }
      if (reader.is_done()) break;
    }
    error_code ec;
    const std::size_t read = co_await stream_.read_some(buffer_.prepare(16 * 1024), ec);
    if (ec) co_return false;
    buffer_.commit(read);
  }
  peer_stays_ = reader.keep_alive();
  co_return true;
}

bool serve_session::takes_from_limit(serve_shared::clock::time_point now) {
  auto& shared = *shared_;
  if (!shared.limit) return true;
  const auto next = shared.limit->take(shared.level, shared.limit->units_of(1), core::instant_of(now));
  if (next) shared.level = *next;
  return next.has_value();
}

serve_answer serve_session::limited_answer(serve_shared::clock::time_point now) const {
  const auto& limit = *shared_->limit;
  const auto ready = limit.ready_at(shared_->level, limit.units_of(1));
  const auto wait = std::max(ready - core::instant_of(now), core::duration(1));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
  serve_answer answer = plain_answer(429);
  // A client measures the date against our Date header, which has whole seconds and was rounded down.
  const std::string when = shared_->options.retry_after_as_date
                               ? http_date(std::chrono::system_clock::now() + seconds)
                               : std::to_string(seconds.count());
  answer.headers += "Retry-After: " + when + "\r\n";
  return answer;
}

asio::awaitable<bool> serve_session::respond(std::uint64_t n) {
  auto& shared = *shared_;
  const auto now = serve_shared::clock::now();
  if (const outage_window* outage = shared.dice.outage(now - shared.start)) {
    if (outage->how == outage_window::mode::unavailable) {
      const serve_answer answer = plain_answer(503);
      co_return co_await send(answer, answer_kind::unavailable);
    }
    shared.record.answer(answer_kind::refused);
    stream_.reset();
    co_return false;
  }
  if (!takes_from_limit(now)) {
    const serve_answer answer = limited_answer(now);
    co_return co_await send(answer, answer_kind::limited);
  }

  const fate what = shared.dice.of(n);
  if (what.kind == answer_kind::silent) {
    shared.record.answer(answer_kind::silent);
    co_return co_await wait_for_peer_to_leave();
  }
  serve_answer answer;
  if (what.kind == answer_kind::failure)
    answer = plain_answer(what.failure_status);
  else
    answer = answer_to(request_, shared.options);
  const bool waited = co_await wait(what.latency + answer.delay);
  if (!waited) co_return false;
  co_return co_await send(answer, what.kind);
}

bool serve_session::last_request() const {
  const auto most = shared_->options.keep_alive_requests;
  return !peer_stays_ || (most > 0 && served_ >= most);
}

void serve_session::start_head(const serve_answer& answer, const std::string& framing) {
  out_.clear();
  out_.append("HTTP/1.1 ")
      .append(std::to_string(answer.status))
      .append(" ")
      .append(reason_phrase(answer.status));
  out_.append("\r\nServer: dspu\r\nDate: ").append(date_now()).append("\r\n");
  out_.append(answer.headers).append(framing);
  const bool says_so = last_request() && (shared_->options.announce_close || !peer_stays_);
  if (says_so) out_ += "Connection: close\r\n";
  out_ += "\r\n";
}

asio::awaitable<bool> serve_session::send(const serve_answer& answer, answer_kind kind) {
  auto& record = shared_->record;
  const std::uint64_t length = answer.length();
  // Trouble with a body needs one.
  const bool in_body = kind == answer_kind::reset_in_body || kind == answer_kind::truncated ||
                       kind == answer_kind::slow || kind == answer_kind::wrong_length ||
                       kind == answer_kind::endless;
  if (in_body && (!sends_body(answer) || length < 2)) kind = answer_kind::ok;
  record.answer(kind);

  switch (kind) {
    case answer_kind::reset_in_header: {
      start_head(answer, content_length(length));
      out_.resize(out_.size() / 2);
      co_await write(out_);
      stream_.reset();
      co_return false;
    }
    case answer_kind::reset_in_body:
    case answer_kind::truncated: {
      start_head(answer, content_length(length));
      const bool sent = co_await send_body(answer, length / 2);
      if (sent && kind == answer_kind::reset_in_body) stream_.reset();
      co_return false;
    }
    case answer_kind::endless: {
      start_head(answer, "Transfer-Encoding: chunked\r\n");
      co_return co_await send_endless_body();
    }
    default:
      break;
  }

  const bool short_length = kind == answer_kind::wrong_length;
  const bool framed = answer.has_body() || answer.status == 304;
  start_head(answer, framed ? content_length(short_length ? length / 2 : length) : std::string());
  bool sent = false;
  if (kind == answer_kind::slow)
    sent = co_await drip_body(answer);
  else
    sent = co_await send_body(answer, sends_body(answer) ? length : 0);
  if (!sent) co_return false;
  record.status(answer.status);
  co_return !last_request();
}

// out_ holds the head, and the first piece of the body joins it.
asio::awaitable<bool> serve_session::send_body(const serve_answer& answer, std::uint64_t length) {
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

asio::awaitable<bool> serve_session::drip_body(const serve_answer& answer) {
  bool written = co_await write(out_);
  const std::uint64_t length = answer.length();
  const std::uint64_t drop = std::max<std::uint64_t>(1, (length + drops - 1) / drops);
  std::uint64_t sent = 0;
  while (written && sent < length) {
    const bool waited = co_await wait(shared_->options.slow_duration / drops);
    if (!waited) co_return false;
    const std::string_view piece = piece_of(answer, sent, std::min(drop, length - sent));
    written = co_await write(piece);
    sent += piece.size();
  }
  co_return written;
}

asio::awaitable<bool> serve_session::send_endless_body() {
  const std::string chunk = "4000\r\n" + std::string(filler(0x4000)) + "\r\n";
  bool written = co_await write(out_);
  while (written) {
    written = co_await write(chunk);
    if (written) written = co_await wait(endless_pause);
  }
  co_return false;
}

asio::awaitable<bool> serve_session::write(std::string_view bytes) {
  error_code ec;
  co_await stream_.write(asio::buffer(bytes), asio::const_buffer(), ec);
  co_return !ec;
}

asio::awaitable<bool> serve_session::wait(std::chrono::nanoseconds duration) {
  if (closed_) co_return false;
  if (duration <= std::chrono::nanoseconds::zero()) co_return true;
  timer_.expires_after(duration);
  error_code ec;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  co_return !ec && !closed_;
}

asio::awaitable<bool> serve_session::wait_for_peer_to_leave() {
  error_code ec;
  while (!ec) co_await stream_.read_some(buffer_.prepare(16 * 1024), ec);
  co_return false;
}

}  // namespace dspu::app
