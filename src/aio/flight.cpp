#include "dspu/aio/detail/flight.hpp"

#include "dspu/aio/detail/lane.hpp"
#include "dspu/aio/detail/running.hpp"

#include <boost/asio/post.hpp>

namespace dspu::aio::detail {

flight_core::flight_core(const asio::any_io_executor& caller)
    : executor_(is_serial(caller) ? caller : make_lane(caller)) {}

bool flight_core::runs_in(const asio::any_io_executor& ex) const { return &context_of(ex) == &context_of(executor_); }

void flight_core::begin() { link(context_of(executor_)); }

void flight_core::end() {
  while_linked([this] { unlink(); });
}

void flight_core::cancel() noexcept {
  try {
    while_linked([this] {
      asio::post(executor_, [this, self = shared_from_this()] { signal_.emit(asio::cancellation_type::terminal); });
    });
  } catch (...) {  // there is no memory for it: the run goes on to its end
  }
}

std::uint64_t flight_core::ask() {
  const auto question = asked_.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool runs = while_linked([&] {
    asio::post(executor_, [this, self = shared_from_this(), question] { answer(question); });
  });
  if (!runs) answer(question);  // it has ended, or is about to go with its context
  return question;
}

// Questions of several threads may come in any order.
void flight_core::answer(std::uint64_t question) {
  auto last = answered_.load(std::memory_order_relaxed);
  while (last < question && !answered_.compare_exchange_weak(last, question, std::memory_order_release)) {
  }
}

}  // namespace dspu::aio::detail
