#include "dspu/aio/shield.hpp"

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
