#include "dspu/aio/detail/pool_load.hpp"

#include "dspu/aio/detail/pool_call.hpp"
#include "dspu/aio/detail/running.hpp"

#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

namespace dspu::aio::detail {

namespace {

thread_local pool_load* pool_of_this_thread = nullptr;
thread_local blocked_scope* innermost_scope = nullptr;

class load_service final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;

  explicit load_service(asio::execution_context& pool) : service(pool) {}

  std::shared_ptr<pool_load> load(std::size_t threads) {
    const std::lock_guard lock(mutex_);
    if (!load_) load_ = std::make_shared<pool_load>(context(), threads);
    return load_;
  }

 private:
  void shutdown() override {
    if (load_) load_->shut_down();
  }

  std::mutex mutex_;
  std::shared_ptr<pool_load> load_;
};

template <class Executor>
std::shared_ptr<pool_load> load_of(const Executor* ex) {
  if (ex == nullptr) return nullptr;
  return asio::use_service<load_service>(ex->context()).load(asio::query(*ex, asio::execution::occupancy));
}

// thread_pool's executors are of two types: as they come, and tracking work.
using tracking_executor = std::decay_t<decltype(asio::require(std::declval<asio::thread_pool::executor_type>(),
                                                              asio::execution::outstanding_work.tracked))>;

}  // namespace

std::shared_ptr<pool_load> pool_load::of(const asio::any_io_executor& ex) {
  if (auto plain = load_of(ex.target<asio::thread_pool::executor_type>())) return plain;
  return load_of(ex.target<tracking_executor>());
}

void pool_load::push(std::shared_ptr<pool_call> call) {
  const std::lock_guard lock(mutex_);
  auto& c = *call;
  if (idle_.empty()) idle_.emplace_front();
  idle_.front() = std::move(call);
  queue_.splice(queue_.end(), idle_, idle_.begin());
  c.place_ = std::prev(queue_.end());
  c.queued_ = true;
  try {
    add_spare_if_needed();
  } catch (...) {
    take_out(c.place_);
    throw;
  }
}

void pool_load::remove(pool_call& call) {
  std::shared_ptr<pool_call> released;  // destroyed after the lock
  const std::lock_guard lock(mutex_);
  if (call.queued_) released = take_out(call.place_);
}

std::shared_ptr<pool_call> pool_load::take_out(calls::iterator place) {
  auto call = std::move(*place);
  call->queued_ = false;
  if (idle_.size() < most_idle) {
    idle_.splice(idle_.begin(), queue_, place);
  } else {
    queue_.erase(place);
  }
  return call;
}

void pool_load::block() {
  const std::lock_guard lock(mutex_);
  ++blocked_;
  try {
    add_spare_if_needed();
  } catch (...) {
    --blocked_;
    throw;
  }
}

void pool_load::unblock() {
  const std::lock_guard lock(mutex_);
  --blocked_;
}

void pool_load::add_spare_if_needed() {
  if (queue_.empty() || threads_ + spares_.size() > blocked_) return;
  if (spares_.size() >= max_spares) {
    throw std::logic_error("sync_to_async: functions nested too deep: all " + std::to_string(blocked_) +
                           " threads of the pool are blocked in run_async; co_await there instead of blocking");
  }
  spares_.emplace_back([self = shared_from_this()] { self->run_spare(); });
}

void pool_load::run_spare() {
  std::unique_lock lock(mutex_);
  while (!queue_.empty() && threads_ + spares_.size() <= blocked_ + 1) {
    auto call = take_out(queue_.begin());
    lock.unlock();
    if (call->claim()) call->run(this);
    call.reset();
    lock.lock();
  }
  for (auto& t : retired_) t.join();  // they hold no lock any more and are about to end
  retired_.clear();
  const auto me = std::find_if(spares_.begin(), spares_.end(),
                               [](const std::thread& t) { return t.get_id() == std::this_thread::get_id(); });
  retired_.splice(retired_.end(), spares_, me);
  spare_retired_.notify_all();
}

void pool_load::abort_if_stopped() {
  if (!is_stopped(pool_)) return;
  std::unique_lock lock(mutex_);
  while (!queue_.empty()) {
    auto call = take_out(queue_.begin());
    lock.unlock();
    if (call->claim()) call->abandon();
    call.reset();
    lock.lock();
  }
}

void pool_load::shut_down() {
  std::unique_lock lock(mutex_);
  spare_retired_.wait(lock, [this] { return spares_.empty(); });
  for (auto& t : retired_) t.join();
  retired_.clear();
}

pool_thread_scope::pool_thread_scope(pool_load* pool) : outer_(std::exchange(pool_of_this_thread, pool)) {}
pool_thread_scope::~pool_thread_scope() { pool_of_this_thread = outer_; }

blocked_scope::blocked_scope(asio::execution_context* loop) : outer_(innermost_scope), loop_(loop) {
  if (pool_of_this_thread != nullptr && !is_blocked(*pool_of_this_thread)) {
    add(pool_of_this_thread->shared_from_this());
  }
  innermost_scope = this;
}

blocked_scope::~blocked_scope() {
  innermost_scope = outer_;
  for (const auto& pool : pools_) pool->unblock();
}

void blocked_scope::add(std::shared_ptr<pool_load> pool) {
  pools_.reserve(pools_.size() + 1);
  pool->block();
  pools_.push_back(std::move(pool));
}

bool blocked_scope::is_blocked(const pool_load& pool) {
  const auto same = [&pool](const auto& p) { return p.get() == &pool; };
  for (const auto* s = innermost_scope; s != nullptr; s = s->outer_) {
    if (std::any_of(s->pools_.begin(), s->pools_.end(), same)) return true;
  }
  return false;
}

bool blocked_scope::runs_loop(const asio::execution_context& loop) {
  for (const auto* s = innermost_scope; s != nullptr; s = s->outer_) {
    if (s->loop_ == &loop) return true;
  }
  return false;
}

void blocked_scope::before_queueing_on(const asio::any_io_executor& ex) {
  if (innermost_scope == nullptr || innermost_scope->loop_ == &context_of(ex)) return;
  if (!runs_here(ex) && !runs_loop(context_of(ex))) return;
  auto pool = pool_load::of(ex);
  if (!pool) {
    throw std::logic_error(
        "sync_to_async: this thread is to run the function, but is blocked in run_async until it has run; use another "
        "executor, or co_await instead of run_async");
  }
  if (!is_blocked(*pool)) innermost_scope->add(std::move(pool));
}

void blocked_scope::abort_if_stopped() {
  for (const auto& pool : pools_) pool->abort_if_stopped();
}

}  // namespace dspu::aio::detail
