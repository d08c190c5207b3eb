// The event loop that a thread runs while it blocks in run_async or iterates over a generator.
//
// Loops are kept by the thread that gives them back, and used again: a call builds no context. What a coroutine left
// behind on its loop is run as far as it is ready, within bounds, and destroyed with the loop otherwise.
#pragma once

#include "dspu/aio/detail/launch.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/result_slot.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/require.hpp>

#include <memory>
#include <stop_token>
#include <utility>

namespace dspu::aio::detail {

class blocked_scope;

class private_loop {
 public:
  // One of this thread's, or a new one.
  private_loop();
  private_loop(private_loop&&) = default;
  private_loop& operator=(private_loop&&) = default;
  // Nothing of what ran on it must be used after this.
  ~private_loop();

  asio::any_io_executor get_executor() const { return context_->get_executor(); }

  // Runs `op` to its end on this thread. A stop request cancels it.
  // Throws: what op throws; operation_aborted if it stopped the loop; what a stray handler threw, after op has ended.
  template <class T>
  T run(awaitable<T> op, const std::stop_token& stop) {
    result_slot<T> result;
    const auto t = std::make_shared<task>(context_.get());
    run_task(t, main(t, std::move(op), &result, tracked_executor()), stop);
    return result.take();
  }

 private:
  struct task final : std::enable_shared_from_this<task>, private posted {  // to be cancelled
    explicit task(asio::io_context* c) : context(c) {}
    asio::io_context* context;
    asio::cancellation_signal signal;
    bool ended = false;

    // Once, from any thread.
    void ask_to_cancel();

   private:
    void on_arrival() override;
    void on_shutdown() override { const auto self = std::move(posted_); }

    std::shared_ptr<task> posted_;  // itself, while it is
  };

  template <class T>
  static thread_main main(std::shared_ptr<task> self, awaitable<T> op, result_slot<T>* out,
                             [[maybe_unused]] asio::any_io_executor work) {
    try {
      if constexpr (std::is_void_v<T>) {
        co_await std::move(op);
        out->emplace();
      } else {
        out->emplace(co_await std::move(op));
      }
    } catch (...) {
      out->fail(std::current_exception());
    }
    self->ended = true;
    self->context->stop();
  }

  asio::any_io_executor tracked_executor() const {
    return asio::require(context_->get_executor(), asio::execution::outstanding_work.tracked);
  }
  void run_task(const std::shared_ptr<task>& t, thread_main body, const std::stop_token& stop);
  void run_until_stopped(blocked_scope& scope);
  bool settle();

  std::unique_ptr<asio::io_context> context_;
  bool broken_ = false;  // somebody stopped it; what it ran hangs in it
};

}  // namespace dspu::aio::detail
