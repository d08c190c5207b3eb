#include "dspu/aio/circuit_breaker.hpp"

#include "dspu/aio/detail/uncancelled.hpp"

#include <boost/asio/this_coro.hpp>

namespace dspu::aio::detail {

namespace {

core::breaker_options machine_options(const circuit_breaker_options& o) {
  return {.failure_threshold = o.failure_threshold,
          .success_threshold = o.success_threshold,
          .timeout = o.timeout,
          .half_open_max_calls = o.half_open_max_calls};
}

}  // namespace

breaker_state::breaker_state(circuit_breaker_options options)
    : options_(std::move(options)), machine_(machine_options(options_)) {
  publish();
}

breaker_state::entry breaker_state::enter(core::instant now) {
  if (surely_open(now)) {
    const auto until = open_until_.load(std::memory_order_relaxed);
    return {false, 0, duration{until} - now.time_since_epoch(), std::nullopt};
  }
  const std::lock_guard lock(mutex_);
  const auto made = machine_.enter(now);
  note(made.transition);
  return made;
}

void breaker_state::settle(std::uint64_t generation, verdict v, core::instant now) {
  const std::lock_guard lock(mutex_);
  note(machine_.settle(generation, v, now));
  publish();
}

void breaker_state::reset() {
  const std::lock_guard lock(mutex_);
  note(machine_.reset());
  publish();
}

circuit_breaker_error breaker_state::refusal(std::optional<duration> retry_after) const {
  const std::lock_guard lock(mutex_);
  return {machine_.state(), machine_.failure_count(), retry_after};
}

core::breaker_machine breaker_state::snapshot() const {
  const std::lock_guard lock(mutex_);
  return machine_;
}

void breaker_state::note(std::optional<core::circuit_transition> t) {
  if (!t) return;
  if (options_.on_state_change) {
    events_.push_back(*t);
    events_pending_.store(true, std::memory_order_release);
  }
  publish();
}

void breaker_state::publish() {
  const bool closed = machine_.state() == circuit_state::closed;
  const bool clean = closed && machine_.failure_count() == 0 && events_.empty();
  open_until_.store(machine_.open_until().time_since_epoch().count(), std::memory_order_relaxed);
  word_.store(machine_.generation() << word_shift | (closed ? closed_bit : 0) | (clean ? clean_bit : 0) |
                  (machine_.state() == circuit_state::open ? open_bit : 0),
              std::memory_order_release);
}

// Whoever gets an event is the only one delivering until end_delivery(): that is what keeps them in order.
std::optional<core::circuit_transition> breaker_state::next_event() {
  const std::lock_guard lock(mutex_);
  if (delivering_ || events_.empty()) return std::nullopt;
  delivering_ = true;
  const auto event = events_.front();
  events_.pop_front();
  events_pending_.store(!events_.empty(), std::memory_order_release);
  return event;
}

void breaker_state::end_delivery() {
  const std::lock_guard lock(mutex_);
  delivering_ = false;
  publish();
}

void breaker_state::deliver() {
  if (!events_pending() || options_.on_state_change.is_async()) return;
  while (const auto event = next_event()) {
    try {
      options_.on_state_change.call(event->from, event->to);
    } catch (...) {  // a listener changes nothing
    }
    end_delivery();
  }
}

awaitable<void> breaker_state::deliver_async() {
  struct delivery {
    breaker_state* self;
    ~delivery() { self->end_delivery(); }  // also if this coroutine is destroyed while the callback waits
  };
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);  // an event taken is told, whatever happens to the caller
  for (auto event = next_event(); event; event = next_event()) {
    const delivery under_way{this};
    auto telling = options_.on_state_change.await(event->from, event->to);
    co_await uncancelled(std::move(telling));
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace dspu::aio::detail
