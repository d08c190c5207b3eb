#include "dspu/aio/detail/pool_call.hpp"

#include "dspu/aio/detail/pool_load.hpp"
#include "dspu/aio/detail/running.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

// What an executor that is not a thread_pool's holds of a call. If it destroys it unrun, the caller gets to know.
struct pool_call::ticket {
  std::shared_ptr<pool_call> call;

  explicit ticket(std::shared_ptr<pool_call> c) : call(std::move(c)) {}
  ticket(ticket&&) = default;
  ticket& operator=(ticket&&) = delete;
  ~ticket() {
    if (call && !offer::made_of(call.get()) && call->claim()) call->abandon();
  }
  void operator()() {
    const auto c = std::move(call);
    if (c->claim()) c->run(nullptr);
  }
};

void pool_call::require_ended() const {
  if (aborted_) throw boost::system::system_error(asio::error::operation_aborted, "sync_to_async");
}

void pool_call::start(frame_base& caller, const asio::any_io_executor& pool) {
  const auto self = shared_from_this();  // the caller may be resumed, and gone, before this returns
  auto& thread = running_thread::of(caller);
  bool linked = false;
  try {
    linked = await_return(thread);
  } catch (...) {
    let_go();
    fail(std::current_exception());
  }
  if (!linked) return thread.get_cancellation_slot().clear();
  waiting_.park(caller);
  try {
    enqueue(pool);
  } catch (...) {
    if (!claim()) return;
    if (load_) load_->remove(*this);
    drop();
    fail(std::current_exception());
    if (!while_linked([this] { unlink(); })) return;
    let_go();
    waiting_.unpark();
  }
}

// False if the caller's context is shutting down.
bool pool_call::await_return(coroutine_thread& caller) {
  const auto executor = caller.get_executor();
  auto slot = caller.get_cancellation_slot();
  if (slot.is_connected()) slot.assign([this](asio::cancellation_type_t) { cancel(); });
  caller_ = asio::prefer(executor, asio::execution::outstanding_work.tracked);
  work_.emplace();
  return link(context_of(executor));
}

void pool_call::enqueue(const asio::any_io_executor& pool) {
  blocked_scope::before_queueing_on(pool);
  load_ = pool_load::of(pool);
  if (load_) {
    load_->push(*this);
  } else {
    const offer made(this);
    asio::post(pool, ticket(std::static_pointer_cast<pool_call>(shared_from_this())));
  }
}

void pool_call::run(pool_load* pool) {
  {
    const pool_thread_scope scope(pool);
    invoke();
  }
  resume_caller(false);
}

void pool_call::abandon() {
  drop();
  resume_caller(true);
}

// True for the one who does it.
bool pool_call::resume_caller(bool aborted) {
  return while_linked([&] {
    aborted_ = aborted;
    come_back_on(asio::prefer(caller_, asio::execution::outstanding_work.untracked));
  });
}

void pool_call::back() {
  let_go();  // the coroutine may destroy the call, or the context
  waiting_.resume();
}

void pool_call::cancel() {
  const auto self = shared_from_this();
  if (resume_caller(true)) forsake();
}

// Nobody waits any more: a function that has not begun never will, one that has is asked to stop.
void pool_call::forsake() {
  if (claim()) {
    if (load_) load_->remove(*this);
    drop();
  } else {
    request_stop();
  }
}

void pool_call::context_gone() {
  aborted_ = true;
  let_go();
  if (waiting_) waiting_.destroy();
  forsake();
}

void pool_call::let_go() {
  caller_ = {};
  work_.reset();
}

}  // namespace dspu::aio::detail
