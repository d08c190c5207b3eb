#include "dspu/aio/detail/pool_load.hpp"

#include "dspu/aio/detail/pool_call.hpp"
#include "dspu/aio/detail/remembered_service.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

namespace dspu::aio::detail {

namespace {

// How long a runner goes on. Far above what it takes to queue, far below what a function that blocks takes.
constexpr std::chrono::microseconds turn{50};

thread_local pool_load* pool_of_this_thread = nullptr;
thread_local blocked_scope* innermost_scope = nullptr;

class load_service final : public remembered_service {
 public:
  static inline asio::execution_context::id id;

  explicit load_service(asio::execution_context& context)
      : remembered_service(context),
        load(std::make_shared<pool_load>(static_cast<asio::thread_pool&>(context))) {}

  const std::shared_ptr<pool_load> load;

 private:
  void shutdown() override { load->shut_down(); }
};

template <class Executor>
std::shared_ptr<pool_load> load_of(const Executor* ex) {
  return ex != nullptr ? service_of<load_service>(ex->context()).load : nullptr;
}

// thread_pool's executors are of two types: as they come, and tracking work.
using tracking_executor = std::decay_t<decltype(asio::require(std::declval<asio::thread_pool::executor_type>(),
                                                              asio::execution::outstanding_work.tracked))>;

}  // namespace

pool_load::pool_load(asio::thread_pool& pool)
    : queue_(*queue_of(pool.get_executor())), stopped_(pool), threads_(asio::query(pool.get_executor(), asio::execution::occupancy)) {}

std::shared_ptr<pool_load> pool_load::of(const asio::any_io_executor& ex) {
  if (auto plain = load_of(ex.target<asio::thread_pool::executor_type>())) return plain;
  return load_of(ex.target<tracking_executor>());
}

void pool_load::push(pool_call& call) {
  bool send = false;
  bool closed = false;
  {
    const std::lock_guard lock(mutex_);
    closed = closed_;
    if (!closed) {
      append(call);
      send = runner_wanted();
    }
  }
  if (send) send_runner();
  if (closed && call.claim()) call.abandon();
}

void pool_load::append(pool_call& call) {
  call.previous_ = last_;
  call.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &call;
  last_ = &call;
  call.queued_ = true;
  try {
    add_spare_if_needed();
  } catch (...) {
    take_out(call);
    throw;
  }
}

void pool_load::remove(pool_call& call) {
  const std::lock_guard lock(mutex_);
  if (call.queued_) take_out(call);
}

void pool_load::take_out(pool_call& call) {
  (call.previous_ != nullptr ? call.previous_->next_ : first_) = call.next_;
  (call.next_ != nullptr ? call.next_->previous_ : last_) = call.previous_;
  call.queued_ = false;
}

std::shared_ptr<pool_call> pool_load::take_first() {
  auto call = std::static_pointer_cast<pool_call>(first_->shared_from_this());
  take_out(*call);
  return call;
}

// True for the one who is to send it.
bool pool_load::runner_wanted() { return first_ != nullptr && !std::exchange(runner_waits_, true); }

void pool_load::send_runner() {
  runner_ = shared_from_this();
  post_to(queue_);
}

void pool_load::on_arrival() {
  const auto self = std::move(runner_);
  run_queued();
}

void pool_load::call(std::shared_ptr<pool_call> c) {
  if (c->claim()) c->run(this);
}

// Gives other handlers of the pool their turn after a while.
void pool_load::run_queued() {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + turn;
  std::unique_lock lock(mutex_);
  runner_waits_ = false;
  for (bool in_turn = true; in_turn && first_ != nullptr;) {
    auto first = take_first();
    const bool send = runner_wanted();
    lock.unlock();
    if (send) send_runner();
    call(std::move(first));
    in_turn = clock::now() < end && !stopped_.is_set();
    lock.lock();
  }
  const bool send = runner_wanted();
  lock.unlock();
  if (send) send_runner();
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
  if (first_ == nullptr || threads_ + spares_.size() > blocked_) return;
  if (spares_.size() >= max_spares) {
    throw std::logic_error("sync_to_async: functions nested too deep: all " + std::to_string(blocked_) +
                           " threads of the pool are blocked in run_async; co_await there instead of blocking");
  }
  spares_.emplace_back([self = shared_from_this()] { self->run_spare(); });
}

void pool_load::run_spare() {
  std::unique_lock lock(mutex_);
  while (first_ != nullptr && threads_ + spares_.size() <= blocked_ + 1) {
    auto first = take_first();
    lock.unlock();
    call(std::move(first));
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
  if (!stopped_.is_set()) return;
  std::unique_lock lock(mutex_);
  abort_queued(lock);
}

void pool_load::abort_queued(std::unique_lock<std::mutex>& lock) {
  while (first_ != nullptr) {
    auto first = take_first();
    lock.unlock();
    if (first->claim()) first->abandon();
    first.reset();
    lock.lock();
  }
}

void pool_load::shut_down() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  abort_queued(lock);
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
