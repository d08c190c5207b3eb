// Sleeping, for policies that wait between two things of their own. It allocates nothing, so that it cannot fail half-way.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/deadlines.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/suspension.hpp"

#include <cstdint>
#include <exception>
#include <mutex>

namespace dspu::aio::detail {

// The body is in impl/sleep.ipp, so that whoever includes this need not compile timers.
// Suspends: unless d <= 0. On cancel: operation_aborted, at once, also if the cancellation came before.
template <class Clock>
awaitable<void> sleep_for(duration d);

// One sleep, in its coroutine's frame.
class sleeper final : private timed, private posted {  // by which the coroutine is resumed
 public:
  sleeper() = default;

  // To be awaited by name, once: until that instant, in the clock's own units. Then check().
  auto until(deadlines& all, std::int64_t at) {
    return [this, &all, at](frame_base* f) {
      begin(*f, all, at);
      return static_cast<coroutine_thread*>(nullptr);
    };
  }

  // Throws: operation_aborted if it was cancelled; what begin() threw.
  void check() const;

 private:
  void begin(frame_base& f, deadlines& all, std::int64_t at);
  void cancel();
  void expire(std::unique_lock<std::mutex>& lock) override;
  void context_gone() override { parked_.destroy(); }
  void on_arrival() override { parked_.resume(); }
  void on_shutdown() override { parked_.destroy(); }

  deadlines* all_ = nullptr;
  bool cancelled_ = false;
  std::exception_ptr failure_;
  parked parked_;
};

}  // namespace dspu::aio::detail
