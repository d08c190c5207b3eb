#include "dspu/serve.hpp"

#include "dspu/request_url.hpp"
#include "dspu/serve_session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace dspu::app {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

asio::ssl::context make_server_tls(const serve_options& options) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  error_code ec;
  context.use_certificate_chain_file(options.certificate, ec);
  if (ec)
    throw std::runtime_error("certificate \"" + options.certificate + "\" cannot be used: " + ec.message());
  context.use_private_key_file(options.private_key, asio::ssl::context::pem, ec);
  if (ec)
    throw std::runtime_error("private key \"" + options.private_key + "\" cannot be used: " + ec.message());
  return context;
}

const serve_options& checked(const serve_options& options) {
  check(options);
  return options;
}

}  // namespace

class unreliable_server::listener : public std::enable_shared_from_this<listener> {
 public:
  listener(const asio::any_io_executor& executor, const serve_options& options)
      : shared_(std::make_shared<serve_shared>(checked(options))), acceptor_(executor), pause_(executor) {
    if (!options.certificate.empty()) shared_->tls.emplace(make_server_tls(options));
    const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
    error_code ec;
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
      throw std::runtime_error("cannot listen on " + host_and_port(options.address, options.port) + ": " +
                               ec.message());
    local_ = acceptor_.local_endpoint();
  }

  void start() { asio::co_spawn(acceptor_.get_executor(), accept(shared_from_this()), asio::detached); }

  void stop() {
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->stopped_ = true;
      self->acceptor_.close(ignored);
      self->pause_.cancel();
      for (const auto& weak : self->sessions_)
        if (const auto session = weak.lock()) session->close();
      self->sessions_.clear();
    });
  }

  const tcp::endpoint& local() const { return local_; }
  bool tls() const { return shared_->tls.has_value(); }
  serve_statistics statistics() const { return shared_->record.snapshot(); }

 private:
  asio::awaitable<void> accept(std::shared_ptr<listener> self) {
    while (!self->stopped_) {
      error_code ec;
      tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (stopped_) co_return;
      if (ec) {  // out of file descriptors, most likely: give some time to become free
        pause_.expires_after(std::chrono::milliseconds(20));
        co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        continue;
      }
      welcome(std::move(socket));
    }
  }

  void welcome(tcp::socket socket) {
    const auto* outage = shared_->dice.outage(serve_shared::clock::now() - shared_->start);
    const auto session = std::make_shared<serve_session>(std::move(socket), shared_);
    if (outage != nullptr && outage->how == outage_window::mode::refuse) {
      shared_->record.answer(answer_kind::refused);
      session->refuse();
      return;
    }
    if (sessions_.size() >= prune_at_) prune();
    sessions_.push_back(session);
    asio::co_spawn(acceptor_.get_executor(), session->run(session), asio::detached);
  }

  // Forgets those that have ended; doubling keeps the cost per connection constant.
  void prune() {
    std::erase_if(sessions_, [](const auto& weak) { return weak.expired(); });
    prune_at_ = std::max<std::size_t>(64, 2 * sessions_.size());
  }

  std::shared_ptr<serve_shared> shared_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  tcp::endpoint local_;
  std::vector<std::weak_ptr<serve_session>> sessions_;
  std::size_t prune_at_ = 64;
  bool stopped_ = false;
};

unreliable_server::unreliable_server(asio::any_io_executor executor, const serve_options& options)
    : listener_(std::make_shared<listener>(executor, options)) {
  listener_->start();
}

unreliable_server::~unreliable_server() { stop(); }

std::uint16_t unreliable_server::port() const { return listener_->local().port(); }

std::string unreliable_server::url() const {
  const auto& local = listener_->local();
  return std::string(listener_->tls() ? "https://" : "http://") +
         host_and_port(local.address().to_string(), local.port());
}

serve_statistics unreliable_server::statistics() const { return listener_->statistics(); }

void unreliable_server::stop() { listener_->stop(); }

}  // namespace dspu::app
