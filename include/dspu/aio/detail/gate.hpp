// A gate that coroutines wait at: closed or open, and it stays as it is until somebody changes it.
#pragma once

#include "dspu/aio/detail/wait_queue.hpp"

#include <memory>

namespace dspu::aio::detail {

// Thread-safety: everything may be called from any thread.
class gate : public wait_queue {
 public:
  void open();
  void close();
  bool is_open();

  // Suspends: until it is open. On cancel: operation_aborted.
  static awaitable<void> pass(std::shared_ptr<gate> self);

 private:
  void wait(waiter_ptr w);
  void left() override {}
  void give_back(double) override {}

  bool open_ = false;  // guarded by the lock
};

}  // namespace dspu::aio::detail
