#include "dspu/aio/detail/private_loop.hpp"

#include "dspu/aio/detail/pool_load.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <chrono>

namespace dspu::aio::detail {

namespace {

using context_ptr = std::unique_ptr<asio::io_context>;

// Enough for calls nested in one another; more are built and destroyed.
thread_local std::array<context_ptr, 4> idle_loops;

constexpr int max_handlers_left_behind = 1000;

constexpr std::chrono::milliseconds watch_interval{50};

}  // namespace

private_loop::private_loop() {
  for (auto& idle : idle_loops) {
    if (!idle) continue;
    context_ = std::move(idle);
    return;
  }
  context_ = std::make_unique<asio::io_context>(1);
}

private_loop::~private_loop() {
  if (!context_ || broken_ || !settle()) return;
  for (auto& idle : idle_loops) {
    if (idle) continue;
    idle = std::move(context_);
    return;
  }
}

// Whether nothing is left on the loop.
bool private_loop::settle() {
  context_->restart();
  try {
    for (int i = 0; i < max_handlers_left_behind; ++i) {
      if (context_->poll_one() == 0) return context_->stopped();
    }
  } catch (...) {  // a handler that was left behind; nobody is there to receive it
  }
  return false;
}

void private_loop::task::ask_to_cancel() {
  posted_ = shared_from_this();
  post_to(context->get_executor());
}

void private_loop::task::on_arrival() {
  const auto self = std::move(posted_);
  if (!ended) signal.emit(asio::cancellation_type::terminal);
}

void private_loop::run_task(const std::shared_ptr<task>& t, thread_main body, const std::stop_token& stop) {
  if (broken_ || stop.stop_requested()) {
    throw boost::system::system_error(asio::error::operation_aborted, "run_async");
  }
  blocked_scope scope(context_.get());
  context_->restart();
  const auto executor = get_executor();  // what never waits costs no turn of the loop: it runs here
  launch(executor, true, thread_of_execution(executor, std::move(body), t->signal.slot()));
  std::exception_ptr stray;
  {
    // Posted, since a stop may be requested anywhere; t is shared, since it may be requested as the task ends.
    const std::stop_callback on_stop(stop, [&t] { t->ask_to_cancel(); });
    while (!context_->stopped()) {
      try {
        run_until_stopped(scope);
      } catch (...) {
        if (!stray) stray = std::current_exception();
        if (!t->ended) t->signal.emit(asio::cancellation_type::terminal);
      }
    }
  }
  broken_ = !t->ended;
  if (stray) std::rethrow_exception(stray);
  if (broken_) throw boost::system::system_error(asio::error::operation_aborted, "run_async: the loop was stopped");
}

void private_loop::run_until_stopped(blocked_scope& scope) {
  while (!context_->stopped()) {
    if (!scope.blocks_a_pool()) {
      context_->run_one();
    } else {
      context_->run_one_for(watch_interval);
      scope.abort_if_stopped();
    }
  }
}

}  // namespace dspu::aio::detail
