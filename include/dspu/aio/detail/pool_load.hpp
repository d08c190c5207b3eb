// What is queued on a thread pool, and what keeps the pool going while its threads are blocked in run_async.
//
// Calls queue here; on the pool there are only runners, each of which runs what is queued for a while. One of them
// waits on the pool whenever a call waits here, and is followed by the next when it begins, until all threads run or
// nothing is left: so a stream of short functions costs the pool a handler now and then instead of one each.
//
// A function on a pool may block in run_async, whose coroutine may want another function run on the same pool. If all
// threads are blocked so, nobody would ever run it. Hence each pool counts its blocked threads, and when none is left
// to run what is queued, a spare thread runs it: as many spares as there are blocked threads, at most, and only for as
// long as needed. Nesting has a limit all the same, since each level costs a thread.
#pragma once

#include "dspu/aio/detail/asio.hpp"
#include "dspu/aio/detail/posted.hpp"
#include "dspu/aio/detail/running.hpp"

#include <boost/asio/thread_pool.hpp>

#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace dspu::aio::detail {

class pool_call;

class pool_load final : public std::enable_shared_from_this<pool_load>, private posted {  // as the runner that waits
 public:
  static constexpr std::size_t max_spares = 256;

  // The load of the thread_pool behind an executor; null if it is no such, a strand on one included.
  static std::shared_ptr<pool_load> of(const asio::any_io_executor& ex);

  explicit pool_load(asio::thread_pool& pool);

  // `call` waits for a thread; a pool that is gone abandons it. Who lets go of it before it is run removes it first.
  // Throws: std::logic_error when nested too deep; std::system_error if there is no thread.
  void push(pool_call& call);
  void remove(pool_call& call);

  // A thread of this pool blocks, or is back. block() throws like push().
  void block();
  void unblock();

  // Aborts what is queued on a pool that was stopped: a thread blocked for it would keep the pool from being joined.
  void abort_if_stopped();

  // The pool is going: aborts what is queued, joins the spares.
  void shut_down();

 private:
  // All of these need the lock.
  void add_spare_if_needed();
  bool runner_wanted();
  void append(pool_call& call);
  void take_out(pool_call& call);
  std::shared_ptr<pool_call> take_first();
  void abort_queued(std::unique_lock<std::mutex>& lock);

  void call(std::shared_ptr<pool_call> c);
  void send_runner();
  void run_queued();
  void on_arrival() override;
  void on_shutdown() override { const auto self = std::move(runner_); }
  void run_spare();

  loop_queue& queue_;
  const stop_flag stopped_;
  const std::size_t threads_;
  std::mutex mutex_;
  pool_call* first_ = nullptr;
  pool_call* last_ = nullptr;
  bool runner_waits_ = false;           // on the pool
  std::shared_ptr<pool_load> runner_;  // itself, while it does
  bool closed_ = false;
  std::list<std::thread> spares_;
  std::list<std::thread> retired_;  // done, to be joined
  std::condition_variable spare_retired_;
  std::size_t blocked_ = 0;
};

// While a function of a pool runs on this thread.
class pool_thread_scope {
 public:
  explicit pool_thread_scope(pool_load* pool);
  pool_thread_scope(const pool_thread_scope&) = delete;
  pool_thread_scope& operator=(const pool_thread_scope&) = delete;
  ~pool_thread_scope();

 private:
  pool_load* outer_;
};

// While this thread is blocked in run_async, and so are the pools that it belongs to.
class blocked_scope {
 public:
  // `loop`: what this thread runs meanwhile, if anything. Throws: as pool_load::push.
  explicit blocked_scope(asio::execution_context* loop);
  blocked_scope(const blocked_scope&) = delete;
  blocked_scope& operator=(const blocked_scope&) = delete;
  ~blocked_scope();

  // Before queueing a function on `ex` from this thread: if the thread is blocked, and one of those that would have to
  // run it, then counts it as blocked. Throws: as pool_load::push; std::logic_error if nobody else may run it.
  static void before_queueing_on(const asio::any_io_executor& ex);

  // Whether this thread is blocked by running that loop, here or further out.
  static bool runs_loop(const asio::execution_context& loop);

  bool blocks_a_pool() const { return !pools_.empty(); }
  void abort_if_stopped();

 private:
  void add(std::shared_ptr<pool_load> pool);
  static bool is_blocked(const pool_load& pool);

  blocked_scope* outer_;
  asio::execution_context* loop_;
  std::vector<std::shared_ptr<pool_load>> pools_;
};

}  // namespace dspu::aio::detail
