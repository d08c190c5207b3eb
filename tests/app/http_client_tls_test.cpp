// The client's TLS, against the embedded server with certificates made for the occasion.
#include "dspu/http_client.hpp"

#include "dspu/serve.hpp"
#include "net_support.hpp"
#include "test_certificates.hpp"

#include <boost/asio/ssl.hpp>
#include <gmock/gmock.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace dspu::app::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class HttpClientTlsWallClock : public testing::Test {
 protected:
  static void SetUpTestSuite() { certificates = new test_certificates; }
  static void TearDownTestSuite() {
    delete certificates;
    certificates = nullptr;
  }

  static serve_options serving(const test_certificates::files& files) {
    serve_options o;
    o.certificate = files.certificate;
    o.private_key = files.private_key;
    return o;
  }

  static http_client_options trusting() {
    http_client_options o = direct();
    o.cacert = certificates->authority_file();
    o.lookup = [](const std::string&) { return lookup_result{{asio::ip::make_address("127.0.0.1")}, {}}; };
    return o;
  }

  outcome request(const test_certificates::files& files, const std::string& host,
                  const http_client_options& o) {
    unreliable_server server(loop.get_executor(), serving(files));
    http_client client(loop.get_executor(), o);
    return fetch(loop, client, "https://" + host + ":" + std::to_string(server.port()) + "/x");
  }

  static void expect_tls_failure(const outcome& o, const std::string& words) {
    ASSERT_TRUE(o.failure) << "was answered";
    EXPECT_EQ(to_string(*o.failure), "tls") << o.what;
    EXPECT_THAT(o.what, HasSubstr(words));
  }

  static inline test_certificates* certificates = nullptr;
  asio::io_context loop;
};

TEST_F(HttpClientTlsWallClock, TalksToAHostThatProvesItsName) {
  const auto files = certificates->leaf("DNS:right.test,DNS:*.wild.test,IP:127.0.0.1");
  for (const char* host : {"right.test", "RIGHT.test", "right.test.", "a.wild.test", "127.0.0.1"}) {
    const outcome o = request(files, host, trusting());
    ASSERT_TRUE(o.response) << host << ": " << o.what;
    EXPECT_EQ(o.body, "you asked for /x\n");
  }
}

TEST_F(HttpClientTlsWallClock, RefusesAnotherHostsCertificate) {
  const auto files = certificates->leaf("DNS:right.test,DNS:*.wild.test");
  expect_tls_failure(request(files, "wrong.test", trusting()), "hostname mismatch");
  expect_tls_failure(request(files, "a.b.wild.test", trusting()), "hostname mismatch");
  expect_tls_failure(request(files, "127.0.0.1", trusting()), "IP address mismatch");
}

// A host "." had its only dot taken away, and OpenSSL checks no name where it is given an empty one.
TEST_F(HttpClientTlsWallClock, AcceptsNoCertificateForAHostWithoutAName) {
  const auto files = certificates->leaf("DNS:right.test");
  EXPECT_FALSE(request(files, ".", trusting()).response);
  EXPECT_FALSE(request(files, ".test", trusting()).response);
}

TEST_F(HttpClientTlsWallClock, RefusesACertificateThatNobodyVouchesFor) {
  expect_tls_failure(request(certificates->self_signed("DNS:right.test"), "right.test", trusting()),
                     "self-signed");
  http_client_options system_store = trusting();
  system_store.cacert.clear();
  expect_tls_failure(request(certificates->leaf("DNS:right.test"), "right.test", system_store),
                     "unable to get local issuer certificate");
}

TEST_F(HttpClientTlsWallClock, RefusesAnExpiredCertificate) {
  expect_tls_failure(request(certificates->leaf("DNS:right.test", -1), "right.test", trusting()),
                     "has expired");
}

TEST_F(HttpClientTlsWallClock, AcceptsAnythingWhenInsecure) {
  http_client_options o = trusting();
  o.cacert.clear();
  o.insecure = true;
  EXPECT_TRUE(request(certificates->self_signed("DNS:other.test"), "right.test", o).response);
  EXPECT_TRUE(request(certificates->leaf("DNS:right.test", -1), "right.test", o).response);
}

TEST_F(HttpClientTlsWallClock, NamesAPeerThatDoesNotSpeakTls) {
  scripted_server plain(loop, {{{"HTTP/1.1 400 Bad Request\r\n\r\n"}}});
  unreliable_server http_only(loop.get_executor(), {});
  http_client client(loop.get_executor(), trusting());
  const outcome o = fetch(loop, client, "https://127.0.0.1:" + std::to_string(http_only.port()) + "/");
  ASSERT_TRUE(o.failure);
  EXPECT_EQ(to_string(*o.failure), "tls") << o.what;
}

TEST_F(HttpClientTlsWallClock, KeepsConnectionsAliveAndStreamsLargeBodies) {
  unreliable_server server(loop.get_executor(), serving(certificates->leaf("IP:127.0.0.1")));
  http_client client(loop.get_executor(), trusting());
  ASSERT_TRUE(fetch(loop, client, server.url() + "/1").response);
  const outcome large = fetch(loop, client, server.url() + "/bytes/5000000");
  ASSERT_TRUE(large.response) << large.what;
  EXPECT_EQ(large.body.size(), 5'000'000U);
  EXPECT_TRUE(large.response->reused_connection);
  http_request upload;
  upload.method = "POST";
  upload.url = server.url() + "/up";
  upload.body.assign(3'000'000, 'u');
  const outcome up = fetch(loop, client, upload);
  ASSERT_TRUE(up.response) << up.what;
  EXPECT_TRUE(up.response->reused_connection);
  EXPECT_EQ(server.statistics().connections, 1U);
}

TEST_F(HttpClientTlsWallClock, CallsACutConnectionResetOverTlsToo) {
  serve_options o = serving(certificates->leaf("IP:127.0.0.1"));
  o.truncate_rate = 1;
  unreliable_server server(loop.get_executor(), o);
  http_client client(loop.get_executor(), trusting());
  const outcome cut = fetch(loop, client, server.url() + "/x");
  ASSERT_TRUE(cut.failure);
  EXPECT_EQ(to_string(*cut.failure), "reset") << cut.what;
}

TEST_F(HttpClientTlsWallClock, LimitsTheTimeOfAHandshake) {
  scripted_server silent(loop, {{{}, scripted_server::ending::hold}});
  http_client_options o = trusting();
  o.connect_timeout = 100ms;
  http_client client(loop.get_executor(), o);
  const outcome result = fetch(loop, client, "https://" + silent.authority() + "/");
  ASSERT_TRUE(result.failure);
  EXPECT_EQ(to_string(*result.failure), "connect_timeout") << result.what;
  EXPECT_THAT(result.what, HasSubstr("the TLS handshake"));
  run_until(loop, [&] { return silent.open() == 0; });
}

TEST_F(HttpClientTlsWallClock, EndsAtOnceWhenCancelled) {
  scripted_server silent(loop, {{{}, scripted_server::ending::hold}});
  serve_options mute = serving(certificates->leaf("IP:127.0.0.1"));
  mute.silent_rate = 1;
  unreliable_server server(loop.get_executor(), mute);
  http_client client(loop.get_executor(), trusting());
  for (const std::string& url : {"https://" + silent.authority() + "/", server.url() + "/"}) {
    http_request r;
    r.url = url;
    cancellable_attempt running(loop, client, r);
    loop.restart();
    loop.run_for(50ms);
    ASSERT_FALSE(running.done()) << running.result().what;
    running.cancel();
    run_until(loop, [&] { return running.done(); });
    EXPECT_TRUE(running.result().cancelled) << running.result().what;
  }
  run_until(loop, [&] { return silent.open() == 0 && server.statistics().open_connections == 0; });
}

// Answers one request a connection and says goodbye in the same segment, but leaves the TCP connection open.
asio::awaitable<void> answer_and_say_goodbye(std::shared_ptr<tcp::acceptor> acceptor, asio::ssl::context* tls,
                                             int* connections) {
  using stream = asio::ssl::stream<tcp::socket>;
  while (true) {
    boost::system::error_code ec;
    tcp::socket socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    ++*connections;
    const auto kept = std::make_shared<stream>(std::move(socket), *tls);
    stream& session = *kept;
    co_await session.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    std::string request;
    auto buffer = asio::dynamic_buffer(request);
    co_await asio::async_read_until(session, buffer, "\r\n\r\n", asio::use_awaitable);
    const int handle = session.next_layer().native_handle();
    const auto cork = [handle](int on) { ::setsockopt(handle, IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
    cork(1);
    const std::string answer = ok("x");
    co_await asio::async_write(session, asio::buffer(answer), asio::use_awaitable);
    session.async_shutdown([kept](const boost::system::error_code&) {});  // ends when the client leaves
    cork(0);
  }
}

TEST_F(HttpClientTlsWallClock, NoticesAGoodbyeThatCameWithTheAnswer) {
  const auto files = certificates->leaf("IP:127.0.0.1");
  asio::ssl::context tls(asio::ssl::context::tls_server);
  tls.use_certificate_chain_file(files.certificate);
  tls.use_private_key_file(files.private_key, asio::ssl::context::pem);
  const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  auto acceptor = std::make_shared<tcp::acceptor>(loop, any);
  int connections = 0;
  asio::co_spawn(loop, answer_and_say_goodbye(acceptor, &tls, &connections), asio::detached);
  http_client client(loop.get_executor(), trusting());
  http_request request;
  request.method = "POST";
  request.url = "https://127.0.0.1:" + std::to_string(acceptor->local_endpoint().port()) + "/";
  for (int i = 1; i <= 3; ++i) {
    const outcome o = fetch(loop, client, request);
    ASSERT_TRUE(o.response) << o.what;
    EXPECT_EQ(connections, i);
  }
  acceptor->close();
  client.close();
  loop.restart();
  loop.run();
}

// A proxy that answers CONNECT and then passes bytes both ways.
asio::awaitable<void> pass_on(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
  std::vector<char> buffer(16 * 1024);
  boost::system::error_code ec;
  while (!ec) {
    const std::size_t n =
        co_await from->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    if (!ec)
      co_await asio::async_write(*to, asio::buffer(buffer, n), asio::redirect_error(asio::use_awaitable, ec));
  }
  to->close(ec);
}

asio::awaitable<void> tunnel_once(std::shared_ptr<tcp::acceptor> acceptor, std::uint16_t target,
                                  std::string* head) {
  const auto executor = co_await asio::this_coro::executor;
  auto client = std::make_shared<tcp::socket>(co_await acceptor->async_accept(asio::use_awaitable));
  auto buffer = asio::dynamic_buffer(*head);
  co_await asio::async_read_until(*client, buffer, "\r\n\r\n", asio::use_awaitable);
  auto server = std::make_shared<tcp::socket>(executor);
  const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), target);
  co_await server->async_connect(endpoint, asio::use_awaitable);
  const std::string established = "HTTP/1.1 200 Connection established\r\n\r\n";
  co_await asio::async_write(*client, asio::buffer(established), asio::use_awaitable);
  asio::co_spawn(executor, pass_on(client, server), asio::detached);
  asio::co_spawn(executor, pass_on(server, client), asio::detached);
}

TEST_F(HttpClientTlsWallClock, GoesThroughAProxysTunnel) {
  unreliable_server server(loop.get_executor(), serving(certificates->leaf("DNS:right.test")));
  const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
  auto acceptor = std::make_shared<tcp::acceptor>(loop, any);
  std::string head;
  asio::co_spawn(loop, tunnel_once(acceptor, server.port(), &head), asio::detached);
  http_client_options o = trusting();
  o.proxy = "http://u:p@127.0.0.1:" + std::to_string(acceptor->local_endpoint().port());
  http_client client(loop.get_executor(), o);
  const std::string url = "https://right.test:" + std::to_string(server.port());
  const outcome first = fetch(loop, client, url + "/1");
  ASSERT_TRUE(first.response) << first.what;
  EXPECT_EQ(first.body, "you asked for /1\n");
  EXPECT_TRUE(fetch(loop, client, url + "/2").response.value().reused_connection);
  EXPECT_THAT(head,
              testing::StartsWith("CONNECT right.test:" + std::to_string(server.port()) + " HTTP/1.1\r\n"));
  EXPECT_THAT(head, HasSubstr("Proxy-Authorization: Basic dTpw\r\n"));
}

}  // namespace
}  // namespace dspu::app::test
