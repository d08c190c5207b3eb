#include "dspu/watchdog.hpp"

#include <boost/asio/steady_timer.hpp>

namespace dspu::app {

struct watchdog::state {
  explicit state(boost::asio::ip::tcp::socket& s) : timer(s.get_executor()), socket(&s) {}

  boost::asio::steady_timer timer;
  boost::asio::ip::tcp::socket* socket;  // null once the watchdog is gone
  bool expired = false;
};

watchdog::watchdog(boost::asio::ip::tcp::socket& socket) : state_(std::make_shared<state>(socket)) {}

watchdog::~watchdog() {
  state_->socket = nullptr;
  state_->timer.cancel();
}

void watchdog::set(clock::time_point deadline) {
  state_->expired = false;
  state_->timer.expires_at(deadline);
  state_->timer.async_wait([self = state_](const boost::system::error_code& ec) {
    // A handler that was queued before the deadline was replaced comes here with success, too early.
    if (ec || self->socket == nullptr || clock::now() < self->timer.expiry()) return;
    self->expired = true;
    boost::system::error_code ignored;
    self->socket->close(ignored);
  });
}

bool watchdog::expired() const { return state_->expired; }

}  // namespace dspu::app
