#include "dspu/aio/rate_limiter.hpp"

#include "dspu/aio/impl/rate_limiter.ipp"

#include <utility>

namespace dspu::aio {

reservation::reservation(std::shared_ptr<detail::limiter_state> state, const detail::wait_request& request)
    : state_(std::move(state)), place_(std::make_unique<detail::reserved_place>(state_, request)) {
  state_->reserve(*place_);
}

reservation::reservation(reservation&& other) noexcept = default;

reservation& reservation::operator=(reservation&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  state_ = std::move(other.state_);
  place_ = std::move(other.place_);
  return *this;
}

reservation::~reservation() { cancel(); }

core::instant reservation::ready_at() const {
  return place_ ? state_->ready_at(*place_) : core::instant::max();
}

bool reservation::use() {
  if (!place_ || !state_->use(*place_)) return false;
  place_.reset();
  return true;
}

void reservation::cancel() noexcept {
  if (!place_) return;
  state_->drop(*place_);
  place_.reset();
}

}  // namespace dspu::aio

namespace dspu::aio::detail {

template std::shared_ptr<limiter_state> make_limiter_state<std::chrono::steady_clock>(
    const rate_limiter_options&);

}  // namespace dspu::aio::detail
