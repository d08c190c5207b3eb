#include "dspu/serve_session.hpp"

#include "dspu/net_errors.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>

namespace dspu::app {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

serve_session::serve_session(asio::ip::tcp::socket socket, std::shared_ptr<serve_shared> shared)
    : shared_(std::move(shared)), stream_(std::move(socket)), sender_(stream_, *shared_) {
  shared_->record.connection_opened();
}

serve_session::~serve_session() { shared_->record.connection_closed(); }

void serve_session::close() {
  sender_.close();
  stream_.close();
}

asio::awaitable<void> serve_session::run(std::shared_ptr<serve_session> self) {
  stream_.tune();
  bool goes_on = co_await handshake();
  while (goes_on && !self->sender_.closed()) {
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

serve_answer serve_session::limited_answer(serve_shared::clock::time_point now) const {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(shared_->limit_wait(now));
  serve_answer answer = plain_answer(shared_->options.limit_status);
  if (!shared_->options.sends_retry_after) return answer;
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
      const answer_framing how = framing_of(answer);
      co_return co_await sender_.send(answer, answer_kind::unavailable, how);
    }
    shared.record.answer(answer_kind::refused);
    stream_.reset();
    co_return false;
  }
  if (!shared.takes_from_limit(now)) {
    const serve_answer answer = limited_answer(now);
    const answer_framing how = framing_of(answer);
    co_return co_await sender_.send(answer, answer_kind::limited, how);
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
  const bool waited = co_await sender_.wait(what.latency + answer.delay);
  if (!waited) co_return false;
  const answer_framing how = framing_of(answer);
  co_return co_await sender_.send(answer, what.kind, how);
}

answer_framing serve_session::framing_of(const serve_answer& answer) const {
  const auto most = shared_->options.keep_alive_requests;
  answer_framing how;
  how.with_body = answer.has_body() && request_.method != "HEAD";
  how.last = !peer_stays_ || (most > 0 && served_ >= most);
  how.says_close = how.last && (shared_->options.announce_close || !peer_stays_);
  return how;
}

asio::awaitable<bool> serve_session::wait_for_peer_to_leave() {
  error_code ec;
  while (!ec) co_await stream_.read_some(buffer_.prepare(16 * 1024), ec);
  co_return false;
}

}  // namespace dspu::app
