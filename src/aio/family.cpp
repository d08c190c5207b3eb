#include "dspu/aio/detail/family.hpp"

#include "dspu/aio/detail/running.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>

namespace dspu::aio::detail {

void family::wait(frame_base& parent, bool cancels, asio::cancellation_type_t already) {
  if (already != asio::cancellation_type::none) cancel_all(already);
  if (all_ended()) return;
  auto slot = running_thread::of(parent).get_cancellation_slot();
  if (cancels && slot.is_connected()) {
    try {
      slot.assign([this](asio::cancellation_type_t type) { cancel_all(type); });
    } catch (...) {
      failure_ = std::current_exception();
      cancel_all(asio::cancellation_type::terminal);
    }
  }
  waiting_.park(parent);
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) waiting_.unpark();  // the last has ended by now
}

void family::end() {
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // The last thing done here: the parent's frame holds us.
  if (abandoned_.load(std::memory_order_relaxed)) {
    waiting_.destroy();
  } else if (serial_) {
    resume();
  } else if (!lane::scope::do_after(*this, parent_)) {
    resume_by_post();
  }
}

// A coroutine is destroyed. If nobody runs its context any more, then neither is the parent resumed, but destroyed; else
// it is resumed when it would have been, but not from inside of a destructor.
void family::abandon() noexcept {
  const bool runs = runs_here(parent_);
  if (!runs) abandoned_.store(true, std::memory_order_relaxed);
  if (shares_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  runs ? resume_by_post() : waiting_.destroy();
}

asio::cancellation_type_t family::adopt(child& c) {
  const std::lock_guard lock(mutex_);
  c.next_ = children_;
  children_ = &c;
  return cancelled_;
}

void family::cancel_all(asio::cancellation_type_t type) {
  auto keep = share::of_the_living(*this);  // a child that ends inside its own cancellation must not take us with it
  if (!keep) return;
  child* first = nullptr;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ |= type;
    first = children_;
  }
  for (child* c = first; c != nullptr; c = c->next_) c->cancel(type);
  keep->end();
}

namespace {

constexpr unsigned begin = 0x80;
constexpr unsigned every_type = static_cast<unsigned>(asio::cancellation_type::terminal | asio::cancellation_type::partial |
                                                      asio::cancellation_type::total);

}  // namespace

std::exception_ptr child::destroyed() noexcept {
  try {
    throw boost::system::system_error(asio::error::operation_aborted, "the operation was destroyed before it had ended");
  } catch (...) {
    return std::current_exception();
  }
}

void child::prepare(thread_main body) { thread_.emplace(executor_, std::move(body), signal_.slot()); }

void child::begin_here() {
  // From here on it may be cancelled, and not before its slot is in place.
  const auto cancelled = home_.adopt(*this);
  thread_->launch();
  if (cancelled != asio::cancellation_type::none) cancel(cancelled);
}

void child::begin_there() {
  const auto cancelled = static_cast<unsigned>(home_.adopt(*this));
  ask(share(home_), begin | (cancelled & every_type));
}

void child::begin_in_a_new_lane() {
  auto* const own = home_.serial() ? nullptr : lane_of(executor_);
  if (own == nullptr) return home_.serial() ? begin_here() : begin_there();
  const bool alone = own->try_enter();  // a new lane: there is nobody else yet
  assert(alone);
  static_cast<void>(alone);
  lane::scope in(*own);
  const auto cancelled = home_.adopt(*this);
  if (cancelled != asio::cancellation_type::none) signal_.emit(cancelled);
  thread_->launch();
  in.leave();
}

void child::cancel(asio::cancellation_type_t type) {
  if (home_.serial()) {
    if (!ended_) signal_.emit(type);
  } else if (auto keep = share::of_the_living(home_)) {
    ask(std::move(*keep), static_cast<unsigned>(type) & every_type);
  }
}

// `s` keeps the family until on_arrival() or on_shutdown() has it.
void child::ask(share s, unsigned what) {
  if (asked_.fetch_or(what, std::memory_order_acq_rel) != 0) return s.end();  // whoever comes for that does this too
  if ((what & begin) == 0) {
    post_surely_to(executor_);
  } else {
    try {
      post_to(executor_);
    } catch (...) {
      asked_ = 0;
      s.end();
      throw;
    }
  }
  s.release();
}

void child::on_arrival() {
  auto s = share::adopt(home_);
  const unsigned what = asked_.exchange(0, std::memory_order_acq_rel);
  if ((what & begin) != 0) thread_->launch();
  const auto type = static_cast<asio::cancellation_type_t>(what & every_type);
  if (type != asio::cancellation_type::none && !ended_) signal_.emit(type);
  s.end();
}

void child::on_shutdown() {
  const auto s = share::adopt(home_);
  thread_.reset();
}

}  // namespace dspu::aio::detail
