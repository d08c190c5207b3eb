#include "dspu/connector.hpp"

#include "dspu/config/values.hpp"
#include "dspu/net_errors.hpp"
#include "dspu/proxy_tunnel.hpp"
#include "dspu/socks_tunnel.hpp"
#include "dspu/tcp_connect.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace dspu::app {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// "for ever" must not overflow the clock.
watchdog::clock::time_point after(std::chrono::nanoseconds timeout) {
  const auto now = watchdog::clock::now();
  const auto longest = watchdog::clock::time_point::max() - now;
  return timeout < longest ? now + timeout : watchdog::clock::time_point::max();
}

}  // namespace

connector::connector(asio::any_io_executor executor, options opts)
    : executor_(executor), options_(std::move(opts)), resolver_(std::move(executor), options_.lookup) {
  if (!options_.tls.cacert.empty()) static_cast<void>(tls());
}

asio::ssl::context& connector::tls() {
  if (!tls_) tls_.emplace(make_client_tls(options_.tls));
  return *tls_;
}

void connector::timed_out(const connection& peer, const std::string& stage) const {
  fail(transport_failure::connect_timeout, peer.who(),
       stage + " took longer than " + config::format_duration(options_.timeout) +
           " (--connect-timeout), or than the request may take");
}

asio::awaitable<std::unique_ptr<connection>> connector::open(route way, clock::time_point answer_by) {
  try {
    co_return co_await open_whole(std::move(way), answer_by);
  } catch (transport_error& error) {
    error.set_progress({.sent = false});
    throw;
  }
}

asio::awaitable<std::unique_ptr<connection>> connector::open_whole(route way, clock::time_point answer_by) {
  const auto until = std::min(after(options_.timeout), answer_by);
  auto peer = std::make_unique<connection>(executor_, way.server.to_string());
  co_await connect(*peer, way, until);
  if (!way.encrypted() && !way.tunnelled()) co_return peer;
  watchdog dog(peer->stream().socket());
  dog.set(until);
  if (way.tunnelled() && way.proxy->is_socks())
    co_await open_socks_tunnel(*peer, dog, way, until);
  else if (way.tunnelled())
    co_await open_tunnel(*peer, dog, way);
  if (way.encrypted()) co_await handshake(*peer, dog, way);
  co_return peer;
}

asio::awaitable<std::vector<asio::ip::address>> connector::look_up(const connection& peer, std::string host,
                                                                   std::uint16_t port, deadline until) {
  std::vector<asio::ip::address> addresses = options_.addresses.given(host, port);
  if (!addresses.empty()) co_return addresses;
  const name_resolver::answer answer = co_await resolver_.resolve(host, until);
  if (answer.timed_out) timed_out(peer, "looking up " + host);
  if (answer.result.addresses.empty())
    fail(answer.result.temporary ? transport_failure::dns_temporary : transport_failure::dns, peer.who(),
         "looking up " + host + " failed: " + answer.result.error);
  addresses = options_.addresses.wanted(answer.result.addresses);
  if (addresses.empty())
    fail(transport_failure::dns, peer.who(),
         host + " has no " + std::string(to_string(options_.addresses.family)) + " address");
  co_return addresses;
}

asio::awaitable<void> connector::connect(connection& peer, const route& way, deadline until) {
  const std::string host = way.proxy != nullptr ? way.proxy->host : way.server.host;
  const std::uint16_t port = way.proxy != nullptr ? way.proxy->port : way.server.port;
  const std::string place = host_and_port(host, port);
  const std::string target = (way.proxy != nullptr ? "proxy " : "") + place;

  std::vector<asio::ip::address> addresses = co_await look_up(peer, host, port, until);
  answered_.sort(place, addresses);
  tcp_connect_result made = co_await connect_to_any(executor_, addresses, port, until);
  if (made.socket) {
    if (addresses.size() > 1) answered_.answered(place, addresses[made.which]);
    peer.stream().socket() = *std::move(made.socket);
    peer.stream().tune();
    co_return;
  }
  if (watchdog::clock::now() >= until) timed_out(peer, "connecting to " + target);
  fail(transport_failure::connect, peer.who(), "cannot connect to " + target + ": " + describe(made.error));
}

asio::awaitable<void> connector::open_tunnel(connection& peer, watchdog& dog, const route& way) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  const std::string proxy = "proxy " + way.proxy->to_string();
  const tunnel_answer answer = co_await request_tunnel(
      peer.stream(), host_and_port(way.server.host, way.server.port), way.proxy->authorization);
  throw_if_cancelled(cancel);
  if (dog.expired()) timed_out(peer, "the tunnel through " + proxy);
  if (answer.error)
    fail(transport_failure::reset, peer.who(), proxy + " ended the connection: " + describe(answer.error));
  if (!answer.malformed.empty())
    fail(transport_failure::protocol, peer.who(), proxy + " sent a malformed answer: " + answer.malformed);
  // Who the proxy says it cannot reach may be there the next time; what it will not do, it will not do then either.
  const auto kind = answer.status / 100 == 5 ? transport_failure::connect : transport_failure::proxy;
  if (answer.status / 100 != 2)
    fail(kind, peer.who(),
         proxy + " refused the tunnel with status " + std::to_string(answer.status) + " " + answer.reason);
}

asio::awaitable<void> connector::open_socks_tunnel(connection& peer, watchdog& dog, const route& way,
                                                   deadline until) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  const std::string proxy = "proxy " + way.proxy->to_string();
  socks_target target{way.server.host, way.server.port};
  error_code not_an_address;
  const auto literal = asio::ip::make_address(target.host, not_an_address);
  if (!not_an_address) {
    target.address = literal;
  } else if (way.proxy->speaks == proxy_server::protocol::socks5) {
    const auto addresses = co_await look_up(peer, target.host, target.port, until);
    target.address = addresses.front();
  }
  const socks_answer answer =
      co_await request_socks_tunnel(peer.stream(), target, way.proxy->user, way.proxy->password);
  throw_if_cancelled(cancel);
  if (dog.expired()) timed_out(peer, "the tunnel through " + proxy);
  if (answer.error)
    fail(transport_failure::reset, peer.who(), proxy + " ended the connection: " + describe(answer.error));
  if (answer.refusal) fail(*answer.refusal, peer.who(), proxy + " " + answer.reason);
}

asio::awaitable<void> connector::handshake(connection& peer, watchdog& dog, const route& way) {
  const asio::cancellation_state cancel = co_await asio::this_coro::cancellation_state;
  auto& session = peer.stream().start_tls(tls());
  if (!expect_host(session.native_handle(), way.server.host, options_.tls.insecure))
    fail(transport_failure::tls, peer.who(),
         "OpenSSL cannot check certificates for \"" + way.server.host + "\"");
  error_code ec;
  co_await session.async_handshake(asio::ssl::stream_base::client,
                                   asio::redirect_error(asio::use_awaitable, ec));
  throw_if_cancelled(cancel);
  if (dog.expired()) timed_out(peer, "the TLS handshake");
  const bool trusted = options_.tls.insecure || SSL_get_verify_result(session.native_handle()) == X509_V_OK;
  if (ec || !trusted) fail(transport_failure::tls, peer.who(), tls_failure_text(session.native_handle(), ec));
}

}  // namespace dspu::app
