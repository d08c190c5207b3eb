#include "dspu/aio/detail/pool_call.hpp"

#include "dspu/aio/detail/pool_load.hpp"
#include "dspu/aio/detail/running.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace dspu::aio::detail {

// What an executor that is not a thread_pool's holds of a call. If it destroys it unrun, the caller gets to know.
struct pool_call::ticket {
  std::shared_ptr<pool_call> call;

  explicit ticket(std::shared_ptr<pool_call> c) : call(std::move(c)) {}
  ticket(ticket&&) = default;
  ticket& operator=(ticket&&) = delete;
  ~ticket() {
    if (call && call->claim()) call->abandon();
  }
  void operator()() {
    const auto c = std::move(call);
    if (c->claim()) c->run(nullptr);
  }
};

void pool_call::require_ended() const {
  if (aborted_) throw boost::system::system_error(asio::error::operation_aborted, "sync_to_async");
}

void pool_call::start(caller_handler handler, asio::any_io_executor pool) {
  const auto self = shared_from_this();  // the caller may be resumed, and gone, before this returns
  const asio::any_io_executor caller = asio::get_associated_executor(handler);
  auto slot = asio::get_associated_cancellation_slot(handler);
  if (slot.is_connected()) slot.assign([this](asio::cancellation_type_t) { cancel(); });
  handler_.emplace(std::move(handler));
  caller_ = asio::prefer(caller, asio::execution::outstanding_work.tracked);
  work_.emplace();
  if (!link(context_of(caller))) return;
  try {
    enqueue(pool);
  } catch (...) {
    if (!claim()) return;
    if (load_) load_->remove(*this);
    drop();
    fail(std::current_exception());
    resume_caller(false);
  }
}

void pool_call::enqueue(const asio::any_io_executor& pool) {
  blocked_scope::before_queueing_on(pool);
  load_ = pool_load::of(pool);
  if (load_) {
    load_->push(*this);
  } else {
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
  auto handler = std::move(*handler_);
  let_go();  // the coroutine may destroy the call, or the context
  auto slot = asio::get_associated_cancellation_slot(handler);
  if (slot.is_connected()) slot.clear();
  handler();
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
  let_go();
  forsake();
}

void pool_call::let_go() {
  handler_.reset();
  caller_ = {};
  work_.reset();
}

}  // namespace dspu::aio::detail
