// run_with_shield: work that goes on when its caller is cancelled. shield_scope: how shutdown waits for all such work.
//
//   co_await run_with_shield(commit(order));            // in the default scope of this execution context
//
//   shield_scope scope;
//   co_await scope.run(commit(order));
//   …
//   co_await scope.join(5s);                            // at shutdown: true if all had ended in time
//
// When the caller is cancelled, its own wait ends at once with operation_aborted; the work runs on, uncancelled, to its
// end. A result that nobody waits for any more is dropped; an error that nobody receives goes to the scope's handler.
//
// Work started in a scope does not need the scope object: one that is destroyed with work outstanding lets it run on,
// and its errors still reach the handler. Destroying the execution context destroys the work where it stands.
// Thread-safety: a scope may be used from any thread.
#pragma once

#include "dspu/aio/detail/family.hpp"
#include "dspu/aio/detail/gate.hpp"
#include "dspu/aio/policy.hpp"
#include "dspu/aio/timeout.hpp"

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

namespace dspu::aio {

// Receives what shielded work failed with after its caller had gone. Called on the work's executor; must not throw.
using unreceived_error_handler = std::function<void(std::exception_ptr)>;

namespace detail {

class shield_state : public std::enable_shared_from_this<shield_state> {
 public:
  explicit shield_state(unreceived_error_handler handler);

  void began();
  void ended();
  void report(std::exception_ptr error) const noexcept { handler_(std::move(error)); }
  std::size_t outstanding() const;
  const std::shared_ptr<gate>& empty() const { return empty_; }

 private:
  mutable std::mutex mutex_;
  std::size_t outstanding_ = 0;
  std::shared_ptr<gate> empty_ = std::make_shared<gate>();
  const unreceived_error_handler handler_;
};

// Counts as outstanding in its scope; also if the work is destroyed where it stands.
class shield_membership {
 public:
  explicit shield_membership(std::shared_ptr<shield_state> scope) : scope_(std::move(scope)) { scope_->began(); }
  shield_membership(shield_membership&&) = default;
  shield_membership& operator=(shield_membership&&) = delete;
  ~shield_membership() {
    if (scope_) scope_->ended();
  }
  void report(std::exception_ptr error) const noexcept { scope_->report(std::move(error)); }

 private:
  std::shared_ptr<shield_state> scope_;
};

// One shielded operation, shared by the work and the caller that waits for it.
template <class T>
struct shielded {
  enum class phase { running, settled, abandoned };

  std::shared_ptr<gate> done = std::make_shared<gate>();
  result_slot<T> result;                               // written before `phase` says settled
  std::atomic<phase> now{phase::running};              // the first to leave `running` decides who has the result

  // By the caller that is cancelled: true if it left before there was a result.
  bool abandon() {
    auto expected = phase::running;
    return now.compare_exchange_strong(expected, phase::abandoned);
  }
  // By the work: true if there is still somebody to take the result.
  bool settle() { return now.exchange(phase::settled) == phase::running; }
};

template <class T>
thread_main run_shielded(shield_membership scope, std::shared_ptr<shielded<T>> job, awaitable<T> op) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(op);
      job->result.emplace();
    } else {
      job->result.emplace(co_await std::move(op));
    }
  } catch (...) {
    job->result.fail(std::current_exception());
  }
  const bool received = job->settle();
  if (!received && !job->result.has_value()) scope.report(job->result.error());
  job->done->open();
}

std::shared_ptr<shield_state> default_shield_state(const asio::any_io_executor& ex);

template <class T>
awaitable<T> await_shielded(std::shared_ptr<shield_state> scope, awaitable<T> op) {
  const auto executor = co_await asio::this_coro::executor;
  auto job = std::make_shared<shielded<T>>();
  auto body = run_shielded(shield_membership(std::move(scope)), job, std::move(op));
  thread_of_execution thread(executor, std::move(body));
  launch(executor, is_serial(executor), std::move(thread));

  std::exception_ptr cancelled;
  try {
    co_await gate::pass(job->done);
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled && job->abandon()) std::rethrow_exception(cancelled);
  co_return job->result.take();
}

}  // namespace detail

class shield_scope {
 public:
  // `handler` gets the errors that nobody receives; without it they are written to stderr, a line each.
  explicit shield_scope(unreceived_error_handler handler = nullptr)
      : state_(std::make_shared<detail::shield_state>(std::move(handler))) {}

  // Runs `op` on the caller's executor and gives its result.
  // Suspends: as op does. On cancel: the wait ends at once with operation_aborted; op runs on.
  template <class T>
  awaitable<T> run(awaitable<T> op) {
    return detail::await_shielded(state_, std::move(op));
  }

  // Waits until nothing is outstanding. On cancel: operation_aborted; the work runs on.
  awaitable<void> join() { return detail::gate::pass(state_->empty()); }

  // The same for at most that long; false if something is outstanding still (see outstanding()).
  template <class Clock = std::chrono::steady_clock>
  awaitable<bool> join(duration at_most) {
    return join_within<Clock>(state_, at_most);
  }

  // How many operations have not ended.
  std::size_t outstanding() const { return state_->outstanding(); }

 private:
  friend shield_scope default_shield_scope(const asio::any_io_executor& ex);
  explicit shield_scope(std::shared_ptr<detail::shield_state> state) : state_(std::move(state)) {}

  template <class Clock>
  static awaitable<bool> join_within(std::shared_ptr<detail::shield_state> state, duration at_most) {
    if (state->outstanding() == 0) co_return true;
    bool in_time = true;
    try {
      auto joined = detail::gate::pass(state->empty());
      co_await run_with_timeout<Clock>(std::move(joined), at_most);
    } catch (const async_timeout_error&) {
      in_time = false;
    }
    co_return in_time;
  }

  std::shared_ptr<detail::shield_state> state_;
};

// The scope that run_with_shield(op) uses: one for each execution context, for as long as that exists.
shield_scope default_shield_scope(const asio::any_io_executor& ex);

// Runs `op` shielded in the default scope of the caller's execution context. See shield_scope::run.
template <class T>
awaitable<T> run_with_shield(awaitable<T> op) {
  const auto executor = co_await asio::this_coro::executor;
  auto shielded = default_shield_scope(executor).run(std::move(op));
  co_return co_await std::move(shielded);
}

template <class T>
awaitable<T> run_with_shield(awaitable<T> op, shield_scope& scope) {
  return scope.run(std::move(op));
}

}  // namespace dspu::aio
