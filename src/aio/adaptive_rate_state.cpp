// Who goes, who waits and until when. All that is not said to be without the lock needs it.
#include "dspu/aio/detail/adaptive_rate_state.hpp"

#include "dspu/aio/error.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace dspu::aio::detail {

namespace {

core::adaptive_rate_options machine_options(const adaptive_rate_options& o) {
  return {.initial_rate = o.initial_rate,
          .min_rate = o.min_rate,
          .max_rate = o.max_rate,
          .max_burst = o.max_burst,
          .max_concurrency = o.max_concurrency,
          .max_hold = o.max_hold,
          .memory = o.memory};
}

}  // namespace

struct adaptive_rate_state::initiate_wait {
  std::shared_ptr<adaptive_rate_state> self;
  own_wait* wait;
  template <class Handler>
  void operator()(Handler&& handler) const {
    using waiting = handler_waiter<std::decay_t<Handler>>;
    self->wait(waiting::make(self, *wait, std::forward<Handler>(handler)));
  }
};

adaptive_rate_state::adaptive_rate_state(adaptive_rate_options options, const timekeeper& time)
    : wait_queue(&time),
      options_(std::make_shared<const adaptive_rate_options>(std::move(options))),
      machine_(machine_options(*options_), time.now()),
      shadow_(options_->shadow),
      classifies_(options_->classify || options_->facts) {}

std::optional<adaptive_rate_state::call> adaptive_rate_state::try_enter(instant now) {
  const std::lock_guard lock(mutex_);
  if (!empty() || machine_.ready_at(now) > now) return std::nullopt;
  return machine_.send(now);
}

adaptive_rate_state::call adaptive_rate_state::enter_in_shadow(instant now, duration& wait) {
  const std::lock_guard lock(mutex_);
  const instant ready = machine_.ready_at(now);
  wait = ready == instant::max() ? duration::max() : ready - now;
  if (ready > now) ++waited_;
  return machine_.send(now);
}

// When the last of those in the queue and one more may go, by the pace of now.
core::instant adaptive_rate_state::estimate(instant now) const {
  const instant first = machine_.ready_at(now);
  const auto pace = machine_.pace();
  if (first == instant::max() || !pace) return now;
  const double behind = static_cast<double>(size()) / *pace * 1e9;
  return core::add_saturating(first, core::clamp_nanoseconds(behind, duration::max()));
}

awaitable<adaptive_rate_state::call> adaptive_rate_state::wait_for_turn(std::shared_ptr<adaptive_rate_state> self,
                                                                        instant deadline) {
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  turn mine;
  own_wait wait(wait_request{.amount = 1, .deadline = deadline, .refusal = &mine});
  auto waiting = asio::async_initiate<const asio::deferred_t&, void(error_code)>(initiate_wait{self, &wait}, asio::deferred);
  error_code refused;
  try {
    co_await std::move(waiting);
  } catch (const boost::system::system_error& e) {
    if (e.code() != errc::queue_full && e.code() != errc::would_exceed_deadline) throw;
    refused = e.code();
  }
  if (refused == errc::queue_full) throw queue_full_error(self->options().max_queue);
  if (refused) throw deadline_error(mine.needed, mine.remaining);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    self->give_back(mine.granted, self->now());
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return mine.granted;
}

// Without the lock.
void adaptive_rate_state::wait(waiter_ptr w) {
  waiter_list answered;
  error_code ec;
  {
    const std::lock_guard lock(mutex_);
    const instant at = now();
    auto& mine = static_cast<turn&>(*w->request().refusal);
    const instant deadline = w->request().deadline;
    const instant ready = estimate(at);
    if (shadow() || (empty() && machine_.ready_at(at) <= at)) {
      mine.granted = machine_.send(at);
      grant_newcomer_into(answered, *w.release());
    } else if (ready > deadline) {
      mine.needed = ready - at;
      mine.remaining = std::max(deadline - at, duration{0});
      ec = errc::would_exceed_deadline;
      ++turned_away_;
    } else if (size() >= options_->max_queue) {
      ec = errc::queue_full;
      ++turned_away_;
    } else {
      ++waited_;
      push_back(*w.release());
      plan(at);
    }
    if (w != nullptr) answered.push_back(*w.release());
    keep_watch();
  }
  answered.complete(ec);
}

void adaptive_rate_state::let_go_due(instant now, waiter_list& due, const asio::execution_context* here) {
  while (!empty() && (shadow() || machine_.ready_at(now) <= now)) {
    static_cast<turn&>(*front(0).request().refusal).granted = machine_.send(now);
    grant_into(due, front(0), here);
  }
  plan(now);
  keep_watch();
}

// Sees to it that somebody looks when the first in the queue may go. A timer that is armed for an earlier instant stays:
// it looks then, and is armed anew.
void adaptive_rate_state::plan(instant now) {
  if (empty()) {
    armed_for_ = instant::max();
    armed_in_ = nullptr;
    return disarm();
  }
  const instant at = machine_.ready_at(now);
  if (at >= armed_for_) return;
  planned_ = &front(0);
  armed_in_ = &waker_for(*planned_);
  armed_for_ = at;
  arm(armed_in_->base(), at, ++plan_);
}

// The timer was for one that has gone, or in a context in which nobody waits any more, and that may go too.
void adaptive_rate_state::went(const waiter& w) {
  if (&w != planned_ && (armed_in_ == nullptr || !armed_in_->deserted())) return;
  planned_ = nullptr;
  armed_for_ = instant::max();
}

void adaptive_rate_state::came_back(std::size_t, waiter_list& going) { let_go_due(now(), going); }

void adaptive_rate_state::take_back(const waiter& w, waiter_list& going) {
  const instant at = now();
  machine_.give_back(static_cast<turn&>(*w.request().refusal).granted, at);
  let_go_due(at, going);
}

core::instant adaptive_rate_state::look_by() const {
  return empty() ? instant::max() : core::add_saturating(armed_for_, patience());
}

// The timer may be in a context that stands still.
void adaptive_rate_state::resumed(const asio::execution_context* here) {
  waiter_list due;
  {
    const std::lock_guard lock(mutex_);
    const instant at = now();
    if (at < look_by()) return;
    armed_for_ = instant::max();
    let_go_due(at, due, here);
  }
  due.complete(error_code{}, here);
}

void adaptive_rate_state::wake(std::uint64_t plan_number, const asio::execution_context& here) {
  waiter_list due;
  {
    const std::lock_guard lock(mutex_);
    if (plan_number != plan_) return;
    armed_for_ = instant::max();
    let_go_due(now(), due, &here);
  }
  due.complete(error_code{}, &here);
}

adaptive_rate_change adaptive_rate_state::snapshot(instant now) const {
  return {.rate = machine_.pace().value_or(0),
          .learnt = machine_.learnt(),
          .in_flight = machine_.in_flight(),
          .hold = std::max(machine_.held_until(), now) - now};
}

std::optional<adaptive_rate_change> adaptive_rate_state::settle(const call& c, verdict v, const core::limit_facts& facts,
                                                                instant now) {
  waiter_list due;
  std::optional<adaptive_rate_change> change;
  {
    const std::lock_guard lock(mutex_);
    switch (v) {
      case verdict::success:
        ++admitted_;
        machine_.admitted(c, now, facts);
        break;
      case verdict::failure:
        ++refused_;
        machine_.refused(c, now, facts);
        break;
      case verdict::ignored: machine_.ignored(c, now); break;
    }
    let_go_due(now, due);
    const double rate = machine_.pace().value_or(0);
    const auto concurrency = machine_.learnt().concurrency.value_or(0);
    const bool moved = std::abs(rate - told_rate_) > 0.01 * told_rate_;
    if (moved || concurrency != told_concurrency_ || machine_.held_until() > std::max(told_hold_, now)) {
      told_rate_ = rate;
      told_concurrency_ = concurrency;
      told_hold_ = machine_.held_until();
      change = snapshot(now);
    }
  }
  due.complete(error_code{});
  return change;
}

void adaptive_rate_state::give_back(const call& c, instant now) {
  waiter_list due;
  {
    const std::lock_guard lock(mutex_);
    machine_.give_back(c, now);
    let_go_due(now, due);
  }
  due.complete(error_code{});
}

// Somebody was let go and is destroyed without having heard of it: which call it was is not known any more.
void adaptive_rate_state::give_back(double) {
  const instant at = now();
  give_back(call{.sent = at, .serial = std::numeric_limits<std::int64_t>::max()}, at);
}

verdict adaptive_rate_state::judge(const outcome& o, core::limit_facts& facts) const {
  std::unique_lock lock(mutex_);
  const auto options = options_;
  lock.unlock();
  const auto v = options->classify ? options->classify(o) : load_verdict(o);
  if (options->facts) {
    facts = options->facts(o);
  } else if (v == verdict::failure) {
    facts.retry_after = options->retry_after ? options->retry_after(o) : retry_after_of(o);
  }
  return v;
}

void adaptive_rate_state::reconfigure(adaptive_rate_options options) {
  auto next = std::make_shared<const adaptive_rate_options>(std::move(options));
  waiter_list due;
  {
    const std::lock_guard lock(mutex_);
    machine_.reconfigure(machine_options(*next));
    shadow_ = next->shadow;
    classifies_ = next->classify || next->facts;
    options_.swap(next);
    let_go_due(now(), due);
  }
  revision_.fetch_add(1, std::memory_order_relaxed);
  due.complete(error_code{});
}

adaptive_rate_options adaptive_rate_state::options() const {
  const std::lock_guard lock(mutex_);
  return *options_;
}

bool adaptive_rate_state::is_fresh(instant now) const {
  const std::lock_guard lock(mutex_);
  return empty() && outside() == 0 && machine_.is_fresh(now);
}

adaptive_rate_statistics adaptive_rate_state::statistics(instant now) const {
  const std::lock_guard lock(mutex_);
  return {.admitted = admitted_,
          .refused = refused_,
          .waited = waited_,
          .rejected = turned_away_,
          .waiting = size() + outside(),
          .in_flight = machine_.in_flight(),
          .pace = machine_.pace(),
          .learnt = machine_.learnt(),
          .hold = std::max(machine_.held_until(), now) - now};
}

}  // namespace dspu::aio::detail
