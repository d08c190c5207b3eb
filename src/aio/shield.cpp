#include "dspu/aio/shield.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/system_executor.hpp>

#include <cstdio>

namespace dspu::aio {

namespace detail {

namespace {

void write_to_stderr(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "dspu: shielded work failed after its caller had gone: %s\n", e.what());
  } catch (...) {
    std::fputs("dspu: shielded work failed after its caller had gone, with something that is no std::exception\n", stderr);
  }
}

// The default scope of an execution context.
class shield_service final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit shield_service(asio::execution_context& context) : service(context) {}

  const std::shared_ptr<shield_state> state = std::make_shared<shield_state>(nullptr);

 private:
  void shutdown() override {}
};

}  // namespace

struct gate::initiate_wait {
  std::shared_ptr<gate> self;
  template <class Handler>
  void operator()(Handler&& handler) const {
    self->wait(handler_waiter<std::decay_t<Handler>>::make(self, 0, std::forward<Handler>(handler),
                                                           asio::system_executor{}));
  }
};

void gate::open() {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    open_ = true;
    while (!empty()) pop_front_into(going);
  }
  going.complete(error_code{});
}

void gate::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
}

bool gate::is_open() {
  const std::lock_guard lock(mutex_);
  return open_;
}

void gate::wait(waiter_ptr w) {
  waiter_list going;
  {
    const std::lock_guard lock(mutex_);
    if (open_) {
      going.push_back(*w.release());
    } else {
      push_back(*w.release());
    }
  }
  going.complete(error_code{});
}

awaitable<void> gate::pass(std::shared_ptr<gate> self) {
  if (self->is_open()) co_return;
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  auto waiting = asio::async_initiate<const asio::deferred_t&, void(error_code)>(initiate_wait{self}, asio::deferred);
  co_await std::move(waiting);
}

shield_state::shield_state(unreceived_error_handler handler) : handler_(handler ? std::move(handler) : write_to_stderr) {
  empty_->open();
}

void shield_state::began() {
  const std::lock_guard lock(mutex_);
  if (outstanding_++ == 0) empty_->close();
}

void shield_state::ended() {
  const std::lock_guard lock(mutex_);
  if (--outstanding_ == 0) empty_->open();
}

std::size_t shield_state::outstanding() const {
  const std::lock_guard lock(mutex_);
  return outstanding_;
}

std::shared_ptr<shield_state> default_shield_state(const asio::any_io_executor& ex) {
  return asio::use_service<shield_service>(asio::query(ex, asio::execution::context)).state;
}

}  // namespace detail

shield_scope default_shield_scope(const asio::any_io_executor& ex) {
  return shield_scope(detail::default_shield_state(ex));
}

}  // namespace dspu::aio
