#include "dspu/http_client.hpp"

#include "dspu/connection_pool.hpp"
#include "dspu/connector.hpp"
#include "dspu/outgoing_request.hpp"
#include "dspu/proxy.hpp"

#include <stdexcept>

namespace dspu::app {

namespace asio = boost::asio;

namespace {

const http_client_options& checked(const http_client_options& options) {
  if (options.connect_timeout <= std::chrono::nanoseconds::zero())
    throw std::invalid_argument("connect_timeout is " + std::to_string(options.connect_timeout.count()) +
                                " ns; it must be more than 0");
  if (options.idle_lifetime < std::chrono::nanoseconds::zero())
    throw std::invalid_argument("idle_lifetime is " + std::to_string(options.idle_lifetime.count()) +
                                " ns; it must not be negative");
  return options;
}
const http_client_options& checked(http_client_options&&) = delete;

bool may_send_again(const connection& used, const outgoing_request& request, const transport_error& error) {
  return error.kind() == transport_failure::reset && used.closed_unanswered() &&
         (request.idempotent || !used.wrote_anything());
}

class count_while_here {
 public:
  explicit count_while_here(std::size_t& count) : count_(count) { ++count_; }
  ~count_while_here() { --count_; }
  count_while_here(const count_while_here&) = delete;
  count_while_here& operator=(const count_while_here&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

struct http_client::parts {
  parts(const asio::any_io_executor& executor, http_client_options&& o)
      : options(std::move(o)),
        proxies(checked(options).proxy, process_environment()),
        opener(executor, {.timeout = options.connect_timeout,
                          .tls = {.insecure = options.insecure, .cacert = options.cacert},
                          .lookup = options.lookup,
                          .addresses = options.addresses}),
        pool({.per_key = options.max_idle_per_origin,
              .total = options.max_idle,
              .lifetime = options.idle_lifetime}),
        watch(executor) {}

  http_client_options options;
  proxy_rules proxies;
  connector opener;
  connection_pool pool;
  exchange_watch watch;
  std::size_t out = 0;  // exchanges, each of which has a connection or opens one

  exchange_terms terms(std::chrono::nanoseconds answer_within) const {
    exchange_terms made{.max_body = options.max_body, .limits = options.limits, .watch = &watch};
    const auto now = watched_exchange::clock::now();
    if (answer_within < made.answer_by - now) made.answer_by = now + answer_within;
    return made;
  }
  void make_room() {
    while (pool.size() > 0 && out + pool.size() > options.max_connections) pool.drop_oldest();
  }
};

http_client::http_client(asio::any_io_executor executor, http_client_options options)
    : parts_(std::make_unique<parts>(executor, std::move(options))) {}

http_client::~http_client() = default;

asio::awaitable<http_response> http_client::exchange(const http_request& request, body_sink& sink,
                                                     std::chrono::nanoseconds answer_within) {
  const outgoing_request out =
      compose(request, parts_->proxies,
              {.user_agent = parts_->options.user_agent, .keep_alive = parts_->options.keep_alive});
  const std::string key = out.way.key();
  const exchange_terms terms = parts_->terms(answer_within);
  http_response response;

  const count_while_here counted(parts_->out);
  connection_pool::taken used = parts_->pool.take(key, out.idempotent, connection_pool::clock::now());
  std::unique_ptr<connection> peer = std::move(used.stream);
  if (peer) {
    try {
      response = co_await peer->exchange(out, sink, terms);
    } catch (const transport_error& error) {
      if (peer->closed_unanswered()) parts_->pool.was_closed(key, used.idled);
      if (!may_send_again(*peer, out, error)) throw;
      peer = nullptr;
    }
  }
  if (!peer) {
    parts_->make_room();
    peer = co_await parts_->opener.open(out.way, terms.answer_by);
    response = co_await peer->exchange(out, sink, terms);
  }
  if (peer->reusable()) {
    const bool kept = peer->is_kept();
    parts_->pool.give_back(key, std::move(peer), kept, connection_pool::clock::now());
  }
  co_return response;
}

void http_client::close() { parts_->pool.clear(); }

std::size_t http_client::idle_connections() const { return parts_->pool.size(); }

}  // namespace dspu::app
