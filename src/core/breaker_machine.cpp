#include "dspu/core/breaker_machine.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace dspu::core {

namespace {

probe_places places_for(const breaker_options& o) {
  return o.probe_timeout ? probe_places(*o.probe_timeout, o.most_probes()) : probe_places();
}

const breaker_options& checked(const breaker_options& o) {
  check(o);
  return o;
}

}  // namespace

const char* name_of(circuit_state s) {
  switch (s) {
    case circuit_state::closed: return "closed";
    case circuit_state::open: return "open";
    case circuit_state::half_open: return "half_open";
    case circuit_state::isolated: return "isolated";
  }
  return "unknown";
}

const char* name_of(circuit_cause c) {
  switch (c) {
    case circuit_cause::by_hand: return "by_hand";
    case circuit_cause::failures: return "failures";
    case circuit_cause::failure_rate: return "failure_rate";
    case circuit_cause::slow_rate: return "slow_rate";
    case circuit_cause::server_asked: return "server_asked";
    case circuit_cause::timeout_over: return "timeout_over";
    case circuit_cause::probe_failed: return "probe_failed";
    case circuit_cause::probe_slow: return "probe_slow";
    case circuit_cause::probes_succeeded: return "probes_succeeded";
  }
  return "unknown";
}

breaker_machine::breaker_machine(const breaker_options& options)
    : options_(checked(options)), window_(options.window.extent()), probes_(places_for(options)) {}

admission breaker_machine::enter(instant now) {
  admission a{true, generation_, std::nullopt, std::nullopt};
  if (state_ == circuit_state::closed) return a;

  if (state_ == circuit_state::open && now >= open_until_) {
    successes_ = 0;
    a.transition = move_to(circuit_state::half_open, circuit_cause::timeout_over);
    a.generation = generation_;
  }
  if (state_ == circuit_state::half_open) {
    lost_probes_ += probes_.give_up(now);
    if (probes_.taken() < places()) {
      probes_.take(now);
      return a;
    }
  }
  ++refused_;
  if (options_.metrics_only) {
    a.generation = no_generation;
    return a;
  }
  a.admitted = false;
  if (state_ == circuit_state::open) a.retry_after = open_until_ - now;
  if (const auto lost = probes_.next_lost()) a.retry_after = *lost - now;
  return a;
}

std::optional<circuit_transition> breaker_machine::settle(const ended_call& call) {
  if (call.generation != generation_) return std::nullopt;
  return state_ == circuit_state::half_open ? settle_probe(call) : settle_closed(call);
}

std::optional<circuit_transition> breaker_machine::settle_closed(const ended_call& call) {
  if (call.v == verdict::ignored) return std::nullopt;
  const bool failed = call.v == verdict::failure;
  failures_ = failed ? failures_ + 1 : 0;
  if (failed) last_failure_ = call.now;
  window_.record(call.now, failed, is_slow(call));

  const auto named = named_by(call);
  if (const auto cause = threshold_reached()) return open(call.now, break_time(), named, *cause);
  if (named) return open(call.now, duration{0}, named, circuit_cause::server_asked);
  return std::nullopt;
}

std::optional<circuit_transition> breaker_machine::settle_probe(const ended_call& call) {
  lost_probes_ += probes_.give_up(call.now);
  if (!probes_.give_back(call.started) || call.v == verdict::ignored) return std::nullopt;
  if (call.v == verdict::failure) last_failure_ = call.now;
  if (call.v == verdict::failure || is_slow(call)) {
    ++reopenings_;
    const bool failed = call.v == verdict::failure;
    return open(call.now, break_time(), named_by(call), failed ? circuit_cause::probe_failed : circuit_cause::probe_slow);
  }
  if (++successes_ < options_.success_threshold) return std::nullopt;
  return close_now(circuit_cause::probes_succeeded);
}

std::optional<circuit_transition> breaker_machine::reset() {
  last_failure_.reset();
  if (state_ != circuit_state::closed) return close_now(circuit_cause::by_hand);
  close_now(circuit_cause::by_hand);
  return std::nullopt;
}

std::optional<circuit_transition> breaker_machine::close() {
  if (state_ == circuit_state::closed) return std::nullopt;
  return close_now(circuit_cause::by_hand);
}

std::optional<circuit_transition> breaker_machine::isolate() {
  if (state_ == circuit_state::isolated) return std::nullopt;
  return move_to(circuit_state::isolated, circuit_cause::by_hand);
}

std::optional<circuit_transition> breaker_machine::force_open(instant until) {
  if (state_ == circuit_state::isolated) return std::nullopt;
  if (state_ != circuit_state::open) return open(until, duration{0}, std::nullopt, circuit_cause::by_hand);
  opened_at_ = named_until_ = open_until_ = until;
  return std::nullopt;
}

void breaker_machine::reconfigure(const breaker_options& options) {
  check(options);
  std::optional<outcome_window> window;
  if (options.window.extent() != options_.window.extent()) window.emplace(options.window.extent());
  probe_places probes = places_for(options);
  if (!probes.adopt(probes_)) ++generation_;

  if (window) window_ = std::move(*window);
  probes_ = std::move(probes);
  options_ = options;
  const instant by_new = std::max(add_saturating(opened_at_, break_time()), named_until_);
  open_until_ = std::min(open_until_, by_new);
}

std::int64_t breaker_machine::failures_seen() const { return std::max(failures_, window_.counts().failures); }

std::int64_t breaker_machine::places() const {
  const std::int64_t most = options_.most_probes();
  if (!options_.half_open_ramp) return most;
  // Rounds of 1, 2, 4 … successes: k of them are 2^k − 1 in all, and the next has 2^k places.
  const auto round = std::bit_floor(static_cast<std::uint64_t>(successes_) + 1);
  return std::min(most, static_cast<std::int64_t>(round));
}

breaker_statistics breaker_machine::statistics(instant now) const {
  const bool open = state_ == circuit_state::open;
  return {.state = state_,
          .generation = generation_,
          .failure_count = failures_,
          .success_count = successes_,
          .window = window_.counts(now),
          .probes = probes_.taken(),
          .reopenings = reopenings_,
          .opened = opened_,
          .refused = refused_,
          .lost_probes = lost_probes_,
          .open_until = open ? std::optional(open_until_) : std::nullopt,
          .last_failure_time = last_failure_};
}

bool breaker_machine::is_slow(const ended_call& call) const {
  const auto& limit = options_.window.slow_call;
  return limit && call.now > add_saturating(call.started, *limit);
}

std::optional<circuit_cause> breaker_machine::threshold_reached() const {
  if (options_.failure_threshold > 0 && failures_ >= options_.failure_threshold) return circuit_cause::failures;
  if (!window_) return std::nullopt;
  const auto& w = options_.window;
  const outcome_counts counts = window_.counts();
  if (counts.calls < std::min(w.min_calls, w.calls.value_or(w.min_calls))) return std::nullopt;
  if (counts.failure_rate() >= w.failure_rate) return circuit_cause::failure_rate;
  if (w.slow_call && counts.slow_rate() >= w.slow_rate) return circuit_cause::slow_rate;
  return std::nullopt;
}

duration breaker_machine::break_time() const {
  if (reopenings_ == 0 || options_.timeout_multiplier == 1) return options_.timeout;
  const double factor = std::pow(options_.timeout_multiplier, static_cast<double>(reopenings_));
  return clamp_nanoseconds(static_cast<double>(options_.timeout.count()) * factor,
                           std::max(options_.timeout, options_.max_timeout));
}

std::optional<instant> breaker_machine::named_by(const ended_call& call) const {
  if (call.v != verdict::failure || !call.retry_after) return std::nullopt;
  const duration wish = std::min(*call.retry_after, options_.max_retry_after);
  if (wish <= duration{0}) return std::nullopt;
  return add_saturating(call.now, wish);
}

circuit_transition breaker_machine::open(instant now, duration at_least, std::optional<instant> named,
                                         circuit_cause cause) {
  opened_at_ = now;
  named_until_ = named.value_or(now);
  open_until_ = std::max(add_saturating(now, at_least), named_until_);
  ++opened_;
  return move_to(circuit_state::open, cause);
}

circuit_transition breaker_machine::close_now(circuit_cause cause) {
  failures_ = successes_ = reopenings_ = 0;
  window_.clear();
  return move_to(circuit_state::closed, cause);
}

circuit_transition breaker_machine::move_to(circuit_state next, circuit_cause cause) {
  const circuit_transition t{state_, next, cause};
  state_ = next;
  ++generation_;
  probes_.clear();
  return t;
}

}  // namespace dspu::core
