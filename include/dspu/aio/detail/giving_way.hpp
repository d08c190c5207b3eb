// For loops of ours around operations of somebody else's: where many in a row are ready at once, the event loop gets its turn
// every so often, and with it whoever wants to cancel the loop. Operations that suspend pay nothing for it.
#pragma once

#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/suspension.hpp"

#include <cstdint>

namespace dspu::aio::detail {

class giving_way final : private posted {
 public:
  static constexpr int most_in_a_row = 256;

  // The same for a loop that begins operations: whether it is time before it begins the i-th.
  static bool is_turn(std::int64_t i) { return i > 0 && i % most_in_a_row == 0; }

  // `suspended`: the thread's own flag, `co_await asio::detail::awaitable_thread_has_context_switched{}`.
  explicit giving_way(bool& suspended) : giving_way(suspended, own_count_) {}
  // The count is kept elsewhere, for a loop that somebody else runs.
  giving_way(bool& suspended, int& ready_in_a_row) : suspended_(&suspended), ready_in_a_row_(&ready_in_a_row) {}

  // Once for each operation: whether it is time.
  bool due() {
    if (*suspended_) {
      *suspended_ = false;
      *ready_in_a_row_ = 0;
      return false;
    }
    return ++*ready_in_a_row_ >= most_in_a_row;
  }

  // To be awaited by name. Goes on after what else is ready by now.
  auto give() {
    *ready_in_a_row_ = 0;
    return [this](frame_base* f) {
      suspend(*f);
      return static_cast<coroutine_thread*>(nullptr);
    };
  }

 private:
  void suspend(frame_base& f);
  void on_arrival() override { parked_.resume(); }
  void on_shutdown() override { parked_.destroy(); }

  int own_count_ = 0;
  bool* suspended_;
  int* ready_in_a_row_;
  parked parked_;
};

}  // namespace dspu::aio::detail
