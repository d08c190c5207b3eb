#include "dspu/aio/detail/blocking_run.hpp"

#include "dspu/aio/detail/pool_load.hpp"
#include "dspu/aio/detail/running.hpp"
#include "dspu/aio/detail/serial.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace dspu::aio::detail {

namespace {

// How often a blocked thread looks whether anybody still runs what it waits for; nobody tells when a context is stopped.
constexpr std::chrono::milliseconds watch_interval{50};

constexpr unsigned to_begin = 1;
constexpr unsigned to_cancel = 2;

}  // namespace

void blocking_run::require_elsewhere(const asio::any_io_executor& ex, const char* what) {
  if (!runs_here(ex) && !blocked_scope::runs_loop(context_of(ex))) return;
  throw std::logic_error(std::string(what) +
                         ": called on a thread that runs the very executor it would wait for, and block for ever; "
                         "co_await there, or call it from another thread");
}

// `ex` is not kept outside the link: a strand must not outlive its context.
blocking_run::blocking_run(asio::any_io_executor ex) : executor_(make_serial(ex)) {}

blocking_run::ticket blocking_run::make_ticket() {
  return {std::static_pointer_cast<blocking_run>(shared_from_this()),
          asio::prefer(executor_, asio::execution::outstanding_work.tracked)};
}

void blocking_run::wait(thread_main body, const std::stop_token& stop) {
  if (stop.stop_requested()) throw boost::system::system_error(asio::error::operation_aborted, "run_async");
  blocked_scope scope(nullptr);
  link(context_of(executor_));
  thread_.emplace(executor_, std::move(body), signal_.slot());
  begin();
  {
    const std::stop_callback on_stop(stop, [this] { cancel(); });
    while (!wait_until_over()) scope.abort_if_stopped();
  }
  let_go();
  if (state_ == state::ended) return;
  const char* const what = state_ == state::destroyed ? "run_async: the coroutine was destroyed with its context"
                                                      : "run_async: the executor's context was stopped";
  throw boost::system::system_error(asio::error::operation_aborted, what);
}

// Waits for a while. Gives up on a context that is found dead twice in a row: a stop may be followed by a restart.
bool blocking_run::wait_until_over() {
  const auto over = [this] { return state_ != state::running; };
  for (int dead = 0; dead < 2; ++dead) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, watch_interval, over)) return true;
    lock.unlock();
    if (!context_is_dead()) return false;
  }
  cancel();
  const std::lock_guard lock(mutex_);
  if (state_ == state::running) state_ = state::given_up;
  return true;
}

bool blocking_run::context_is_dead() {
  bool stopped = false;
  const bool exists = while_linked([&] { stopped = is_stopped(context_of(executor_)); });
  return !exists || stopped;
}

void blocking_run::begin() {
  std::exception_ptr failure;
  const bool linked = while_linked([&] {
    asked_ = to_begin;
    posted_ = shared_from_this();
    try {
      post_to(executor_);
    } catch (...) {
      failure = std::current_exception();
      asked_ = 0;
      posted_.reset();
    }
  });
  if (!linked || failure) thread_.reset();  // and with it, the ticket
  if (failure) std::rethrow_exception(failure);
}

void blocking_run::cancel() {
  while_linked([this] {
    if (asked_.fetch_or(to_cancel, std::memory_order_acq_rel) != 0) return;
    posted_ = shared_from_this();
    post_surely_to(executor_);
  });
}

void blocking_run::on_arrival() {
  const auto self = std::move(posted_);
  const unsigned what = asked_.exchange(0, std::memory_order_acq_rel);
  if ((what & to_begin) != 0) thread_->launch();
  if ((what & to_cancel) != 0 && !over_) signal_.emit(asio::cancellation_type::terminal);
}

void blocking_run::on_shutdown() {
  const auto self = std::move(posted_);
  thread_.reset();
}

// On the executor. All that refers to it is let go of here, so that the thread that waits never touches it again.
void blocking_run::end(bool properly) {
  over_ = true;
  let_go();
  const std::lock_guard lock(mutex_);
  if (state_ == state::running) state_ = properly ? state::ended : state::destroyed;
  changed_.notify_all();
}

bool blocking_run::given_up() {
  const std::lock_guard lock(mutex_);
  return state_ == state::given_up;
}

void blocking_run::let_go() {
  while_linked([this] {
    unlink();
    executor_ = {};
  });
}

void blocking_run::context_gone() { executor_ = {}; }

}  // namespace dspu::aio::detail
