// Counts what runs outside the event loop (on a pool's threads) and will come back to it, so that a simulation does
// not jump ahead in time meanwhile.
#pragma once

#include <atomic>

namespace dspu::aio::detail {

inline std::atomic<long> external_work{0};

class external_work_guard {
 public:
  external_work_guard() { external_work.fetch_add(1, std::memory_order_relaxed); }
  external_work_guard(external_work_guard&& other) noexcept : counts_(other.counts_) { other.counts_ = false; }
  external_work_guard& operator=(external_work_guard&&) = delete;
  ~external_work_guard() {
    if (counts_) external_work.fetch_sub(1, std::memory_order_release);
  }

 private:
  bool counts_ = true;
};

}  // namespace dspu::aio::detail
