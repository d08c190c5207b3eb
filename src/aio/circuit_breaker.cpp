#include "dspu/aio/circuit_breaker.hpp"

#include "dspu/aio/detail/uncancelled.hpp"

#include <boost/asio/this_coro.hpp>

namespace dspu::aio::detail {

core::breaker_options machine_options(const circuit_breaker_options& o) {
  return {.failure_threshold = o.failure_threshold,
          .success_threshold = o.success_threshold,
          .timeout = o.timeout,
          .half_open_max_calls = o.half_open_max_calls,
          .window = o.window,
          .timeout_multiplier = o.timeout_multiplier,
          .max_timeout = o.max_timeout,
          .half_open_ramp = o.half_open_ramp,
          .probe_timeout = o.probe_timeout,
          .max_retry_after = o.max_retry_after,
          .metrics_only = o.metrics_only};
}

circuit_breaker_options user_options(const core::breaker_options& o, circuit_breaker_options rest) {
  return {.failure_threshold = o.failure_threshold,
          .success_threshold = o.success_threshold,
          .timeout = o.timeout,
          .half_open_max_calls = o.half_open_max_calls,
          .window = o.window,
          .timeout_multiplier = o.timeout_multiplier,
          .max_timeout = o.max_timeout,
          .half_open_ramp = o.half_open_ramp,
          .probe_timeout = o.probe_timeout,
          .retry_after = std::move(rest.retry_after),
          .max_retry_after = o.max_retry_after,
          .metrics_only = o.metrics_only,
          .classify = std::move(rest.classify),
          .on_state_change = std::move(rest.on_state_change)};
}

breaker_state::breaker_state(circuit_breaker_options options)
    : options_(std::move(options)), machine_(machine_options(options_)) {
  publish();
}

breaker_state::entry breaker_state::enter(core::instant now, std::optional<breaker_change>* change) {
  const std::lock_guard lock(mutex_);
  const auto made = machine_.enter(now);
  note(made.transition);
  report(made.transition, now, change);
  return made;
}

void breaker_state::settle(const core::ended_call& call, std::optional<breaker_change>* change) {
  const std::lock_guard lock(mutex_);
  const auto transition = machine_.settle(call);
  note(transition);
  publish();
  report(transition, call.now, change);
}

void breaker_state::report(const std::optional<core::circuit_transition>& t, core::instant now,
                           std::optional<breaker_change>* to) const {
  if (t && to != nullptr) to->emplace(breaker_change{*t, machine_.statistics(now), machine_.options()});
}

void breaker_state::reconfigure(const circuit_breaker_options& options) {
  const auto wanted = machine_options(options);
  const std::lock_guard lock(mutex_);
  machine_.reconfigure(wanted);
  revision_.fetch_add(1, std::memory_order_relaxed);
  publish();
}

circuit_breaker_error breaker_state::refusal(std::optional<duration> retry_after) const {
  const std::lock_guard lock(mutex_);
  return {machine_.state(), machine_.failures_seen(), retry_after};
}

core::breaker_statistics breaker_state::statistics(core::instant now) const {
  auto known = read([now](const core::breaker_machine& m) { return m.statistics(now); });
  known.refused += refused_.load(std::memory_order_relaxed);
  return known;
}

circuit_breaker_options breaker_state::options() const {
  const auto limits = read([](const core::breaker_machine& m) { return m.options(); });
  return user_options(limits, options_);
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
  const auto& limits = machine_.options();
  const bool closed = machine_.state() == circuit_state::closed;
  const bool clean = closed && !machine_.notes_successes() && events_.empty();
  const bool refuses = machine_.state() == circuit_state::open && !limits.metrics_only;
  open_until_.store(machine_.open_until().time_since_epoch().count(), std::memory_order_relaxed);
  word_.store(machine_.generation() << word_shift | (closed ? closed_bit : 0) | (clean ? clean_bit : 0) |
                  (refuses ? open_bit : 0) | (limits.window.slow_call ? timed_bit : 0),
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
