// Tokens kept for later: a place in a limiter's line that nobody is suspended for.
//
//   auto place = limiter.reserve(3);
//   while (!place.use()) co_await sleep_until(place.ready_at());   // it may have moved meanwhile
//   send();
//
// It stands in the line like any waiter: first come, first served, and nobody passes it. Cancelled or
// destroyed unused, its tokens go back, or its place does, and all behind it move up, other reservations too.
// Its tokens are taken as of when they were there, whether it is used then or later: use it promptly, or the
// burst comes late.
//
// Thread-safety: distinct reservations may be used from several threads, one of them from one at a time. It
// may outlive its limiter, and is never ready then.
#pragma once

#include "dspu/aio/detail/limiter_state.hpp"

#include <memory>

namespace dspu::aio {

class reservation {
 public:
  // Use basic_rate_limiter::reserve.
  reservation(std::shared_ptr<detail::limiter_state> state, const detail::wait_request& request);
  reservation(reservation&& other) noexcept;
  reservation& operator=(reservation&& other) noexcept;
  ~reservation();

  // When it may be used, as things stand: earlier once others give up, later if the rate is lowered, the
  // bucket drained or a higher class served first. instant::max() if never: the capacity has become too small
  // for it, its deadline cannot be met any more, or it is not held. Takes time in proportion to the line
  // ahead.
  core::instant ready_at() const;
  // Spends its tokens. False if it is too early, or it is not held.
  bool use();
  void cancel() noexcept;
  // Whether it is neither used nor cancelled.
  bool held() const noexcept { return place_ != nullptr; }

 private:
  std::shared_ptr<detail::limiter_state> state_;
  std::unique_ptr<detail::reserved_place> place_;
};

}  // namespace dspu::aio
