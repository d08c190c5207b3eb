// What a call through a pipeline knows of itself; it flows from the outermost policy to the operation.
//
//   pipeline.call([&](const call_context& context) { return fetch(url, context.remaining()); });
//   pipeline.call([&](const call_context& context) { return inner.call_in(context, fetch, url); });   // one budget for both
//
// An operation may take it as its first parameter; it is valid until the operation ends. Thread-safety: read it on the
// operation's own executor.
#pragma once

#include "dspu/aio/detail/asio.hpp"

#include <chrono>
#include <cstdint>
#include <exception>

namespace dspu::aio {

class observer;
class retry_budget;

namespace detail {

struct call_record;

// How often a call has begun its operation; an attempt of a hedge, which is a call of its own, counts for the whole too.
struct start_counter {
  std::uint64_t count = 0;
  start_counter* whole = nullptr;

  void begun() {
    for (start_counter* c = this; c != nullptr; c = c->whole) ++c->count;
  }
  // It was not after all: another policy in the operation refused the call.
  void not_begun() {
    for (start_counter* c = this; c != nullptr; c = c->whole) --c->count;
  }
};

}  // namespace detail

enum class cancel_reason {
  caller,   // whoever awaits the call
  timeout,  // a timeout of the pipeline: its time is over
};

template <class Clock>
core::instant clock_reading() {
  return core::instant_of(Clock::now());
}

struct call_context {
  // When the time of the innermost timeout around is over, on the policies' clock; instant::max() if there is none.
  core::instant deadline = core::instant::max();
  // The attempt under way of the innermost retry around, from 1.
  std::int64_t attempt = 1;
  // Which of a hedge's attempts this is: 0 is the call itself, the others were begun beside it. To send each elsewhere.
  std::int64_t hedge = 0;
  // How many retries are around. An operation that has retries of its own may want to leave it to them.
  int retries_around = 0;
  // If what runs now is cancelled: by whom.
  cancel_reason cancelled_by = cancel_reason::caller;
  // What the attempt before this one failed with; null at the first.
  std::exception_ptr last_error = nullptr;
  // Charged for every attempt beyond the first, unless a retry has a budget of its own. Null: no limit.
  retry_budget* budget = nullptr;
  // Told of every decision. Null: nobody.
  aio::observer* observer = nullptr;
  // What the observer is told of the call itself, if the pipeline has a name.
  detail::call_record* record = nullptr;
  // Of the call that this one is an attempt of, until it has begun.
  detail::start_counter* whole = nullptr;
  // The policies' clock.
  core::instant (*clock)() = clock_reading<std::chrono::steady_clock>;

  bool has_deadline() const { return deadline != core::instant::max(); }
  // How much time is left, never below 0; duration::max() without a deadline.
  duration remaining() const {
    if (!has_deadline()) return duration::max();
    const auto now = clock();
    return now < deadline ? deadline - now : duration{0};
  }
};

}  // namespace dspu::aio
