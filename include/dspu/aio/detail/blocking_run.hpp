// A coroutine that runs on an executor while a thread that is not one of the executor's blocks until it has ended.
//
// The two share this. The thread is woken when the coroutine ends or is destroyed with its context, and gives up when
// the context has been stopped or is gone: then the coroutine is asked to end should its context ever run again.
#pragma once

#include "dspu/aio/detail/context_link.hpp"
#include "dspu/aio/detail/launch.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/result_slot.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

namespace dspu::aio::detail {

class blocking_run : public context_link, private posted {  // to the executor, to begin or to be cancelled
 public:
  // Throws: std::logic_error if this thread runs `ex`: it would wait for itself. `what` names the caller.
  static void require_elsewhere(const asio::any_io_executor& ex, const char* what);

 protected:
  // In the coroutine's outermost frame: tells the thread when that ends, by whatever way. Keeps work on the executor.
  class ticket {
   public:
    ticket(std::shared_ptr<blocking_run> run, asio::any_io_executor work)
        : run_(std::move(run)), work_(std::move(work)) {}
    ticket(ticket&&) = default;
    ticket& operator=(ticket&&) = delete;
    ~ticket() {
      if (run_) run_->end(false);
    }
    // Whether the coroutine should run at all.
    bool wanted() const { return !run_->given_up(); }
    void end() { std::exchange(run_, nullptr)->end(true); }

   private:
    std::shared_ptr<blocking_run> run_;
    asio::any_io_executor work_;
  };

  explicit blocking_run(asio::any_io_executor ex);

  ticket make_ticket();
  // Throws: operation_aborted unless the coroutine ended.
  void wait(thread_main body, const std::stop_token& stop);

 private:
  enum class state { running, ended, destroyed, given_up };

  void end(bool properly);
  bool given_up();
  void begin();
  bool wait_until_over();
  bool context_is_dead();
  void cancel();
  void on_arrival() override;
  void on_shutdown() override;
  void let_go();
  void context_gone() override;

  asio::any_io_executor executor_;  // serial
  asio::cancellation_signal signal_;
  std::optional<thread_of_execution> thread_;
  std::atomic<unsigned> asked_{0};        // what it is posted for, as long as it is
  std::shared_ptr<context_link> posted_;  // itself, then
  bool over_ = false;                     // touched on executor_ only

  std::mutex mutex_;
  std::condition_variable changed_;
  state state_ = state::running;
};

template <class T>
class blocking_run_of final : public blocking_run {
 public:
  // Runs `op` on `ex` and blocks. A stop request cancels it.
  static T run(asio::any_io_executor ex, awaitable<T> op, const std::stop_token& stop) {
    const std::shared_ptr<blocking_run_of> self(new blocking_run_of(std::move(ex)));
    self->wait(main(self->make_ticket(), std::move(op), self), stop);
    return self->result_.take();
  }

 private:
  using blocking_run::blocking_run;

  static thread_main main(ticket t, awaitable<T> op, std::shared_ptr<blocking_run_of> self) {
    try {
      if (!t.wanted()) co_return;
      if constexpr (std::is_void_v<T>) {
        co_await std::move(op);
        self->result_.emplace();
      } else {
        self->result_.emplace(co_await std::move(op));
      }
    } catch (...) {
      self->result_.fail(std::current_exception());
    }
    t.end();
  }

  result_slot<T> result_;
};

}  // namespace dspu::aio::detail
