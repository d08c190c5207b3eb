// One function on its way through a pool, and the coroutine that waits for it.
//
// The two sides share it and part at different times. The coroutine is resumed once: when the function has ended, when
// the coroutine is cancelled, or when the pool drops the function unrun; its context's shutdown destroys it instead.
// Whoever has the call come back to the coroutine's context (context_link) does this. The function is called at most
// once, by whoever claims it.
#pragma once

#include "dspu/aio/detail/context_link.hpp"
#include "dspu/aio/detail/external_work.hpp"
#include "dspu/aio/detail/result_slot.hpp"
#include "dspu/aio/detail/suspension.hpp"

#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <tuple>
#include <utility>

namespace dspu::aio::detail {

class pool_load;

class pool_call : public returning_link {
 public:
  // To be awaited by name: queues the function on `pool`, and goes on, on the coroutine's executor, when there is an outcome.
  auto queue_on(asio::any_io_executor pool) {
    return [this, pool = std::move(pool)](frame_base* caller) {
      start(*caller, pool);
      return static_cast<coroutine_thread*>(nullptr);
    };
  }

  // True once: who gets it runs the call or abandons it.
  bool claim() { return !claimed_.exchange(true, std::memory_order_acq_rel); }
  void run(pool_load* pool);
  // The function will not be run.
  void abandon();

 protected:
  // Once resumed: throws operation_aborted unless the function ended.
  void require_ended() const;

 private:
  friend class pool_load;
  struct ticket;

  virtual void invoke() noexcept = 0;  // calls the function, keeps its outcome, destroys it
  virtual void drop() noexcept = 0;    // destroys it
  virtual void fail(std::exception_ptr error) = 0;
  virtual void request_stop() = 0;

  void start(frame_base& caller, const asio::any_io_executor& pool);
  bool await_return(coroutine_thread& caller);
  void enqueue(const asio::any_io_executor& pool);
  bool resume_caller(bool aborted);
  void back() override;
  void cancel();
  void forsake();
  void context_gone() override;
  void let_go();

  std::atomic<bool> claimed_{false};
  bool aborted_ = false;
  parked waiting_;
  asio::any_io_executor caller_;
  std::optional<external_work_guard> work_;  // these three until the coroutine goes on

  std::shared_ptr<pool_load> load_;
  pool_call* next_ = nullptr;  // these three are load_'s
  pool_call* previous_ = nullptr;
  bool queued_ = false;
};

// Whether a function is called with a stop_token in front of its arguments: if it can be, as with std::jthread.
template <class F, class... Args>
inline constexpr bool takes_stop_token = std::invocable<F, std::stop_token, Args...>;

template <class F, class... Args>
struct blocking_result {
  using type = std::invoke_result<F, Args...>;
};
template <class F, class... Args>
  requires takes_stop_token<F, Args...>
struct blocking_result<F, Args...> {
  using type = std::invoke_result<F, std::stop_token, Args...>;
};
template <class F, class... Args>
using blocking_result_t = std::decay_t<typename blocking_result<F, Args...>::type::type>;

template <class F, class... Args>
class function_call final : public pool_call {
 public:
  using result_type = blocking_result_t<F, Args...>;

  explicit function_call(F&& fn, Args&&... args)
      : function_(std::in_place, std::move(fn), std::move(args)...) {}

  // Once resumed.
  result_type take() {
    require_ended();
    return result_.take();
  }

 private:
  void invoke() noexcept override {
    try {
      if constexpr (std::is_void_v<result_type>) {
        call();
        result_.emplace();
      } else {
        result_.emplace(call());
      }
    } catch (...) {
      result_.fail(std::current_exception());
    }
    drop();
  }

  // If the function has a parameter for a stop token, it gets one.
  decltype(auto) call() {
    if constexpr (takes_stop_token<F, Args...>) {
      const auto with_token = [this](F&& fn, Args&&... args) -> decltype(auto) {
        return std::invoke(std::move(fn), stop_.get_token(), std::move(args)...);
      };
      return std::apply(with_token, std::move(*function_));
    } else {
      const auto plainly = [](F&& fn, Args&&... args) -> decltype(auto) {
        return std::invoke(std::move(fn), std::move(args)...);
      };
      return std::apply(plainly, std::move(*function_));
    }
  }

  void drop() noexcept override { function_.reset(); }
  void fail(std::exception_ptr error) override { result_.fail(std::move(error)); }
  void request_stop() override {
    if constexpr (takes_stop_token<F, Args...>) stop_.request_stop();
  }

  struct no_stop {};
  std::optional<std::tuple<F, Args...>> function_;
  result_slot<result_type> result_;
  [[no_unique_address]] std::conditional_t<takes_stop_token<F, Args...>, std::stop_source, no_stop> stop_;
};

}  // namespace dspu::aio::detail
