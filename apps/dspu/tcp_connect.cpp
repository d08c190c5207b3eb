#include "dspu/tcp_connect.hpp"

#include "dspu/address_order.hpp"
#include "dspu/net_errors.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>

namespace dspu::app {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// The attempts that are out. Their handlers may come when nobody waits any more.
class dial : public std::enable_shared_from_this<dial> {
 public:
  dial(const asio::any_io_executor& executor, std::size_t addresses)
      : changed(executor), race(addresses), sockets_(addresses) {}

  void begin(std::size_t which, const tcp::endpoint& there) {
    auto& socket = sockets_[which].emplace(changed.get_executor());
    error_code ec;
    socket.open(there.protocol(), ec);
    if (ec) return fail(ec);
    socket.async_connect(
        there, [self = shared_from_this(), which](const error_code& error) { self->end(which, error); });
  }
  tcp::socket take(std::size_t which) { return *std::move(sockets_[which]); }
  void close() { sockets_.clear(); }

  asio::steady_timer changed;  // cancelled when an attempt ends
  address_race race;
  std::optional<std::size_t> winner;
  error_code last_error;

 private:
  void fail(const error_code& error) {
    last_error = error;
    race.failed();
  }
  void end(std::size_t which, const error_code& error) {
    if (sockets_.empty()) return;
    if (error)
      fail(error);
    else if (!winner)
      winner = which;
    changed.cancel();
  }

  std::vector<std::optional<tcp::socket>> sockets_;
};

class closed_at_end {
 public:
  explicit closed_at_end(dial& d) : dial_(d) {}
  ~closed_at_end() { dial_.close(); }
  closed_at_end(const closed_at_end&) = delete;
  closed_at_end& operator=(const closed_at_end&) = delete;

 private:
  dial& dial_;
};

}  // namespace

asio::awaitable<tcp_connect_result> connect_to_any(asio::any_io_executor executor,
                                                   std::vector<asio::ip::address> addresses,
                                                   std::uint16_t port,
                                                   std::chrono::steady_clock::time_point until) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  const auto out = std::make_shared<dial>(executor, addresses.size());
  const closed_at_end guard(*out);
  tcp_connect_result result;
  while (true) {
    throw_if_cancelled(cancel);
    const auto now = std::chrono::steady_clock::now();
    while (!out->winner) {
      const auto next = out->race.next(now);
      if (!next) break;
      out->begin(*next, tcp::endpoint(addresses[*next], port));
    }
    if (out->winner) {
      result.which = *out->winner;
      result.socket = out->take(result.which);
      co_return result;
    }
    result.error = out->race.is_lost() ? out->last_error : error_code(asio::error::timed_out);
    if (out->race.is_lost() || now >= until) co_return result;
    out->changed.expires_at(std::min(out->race.next_at(), until));
    error_code woken;
    co_await out->changed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

}  // namespace dspu::app
