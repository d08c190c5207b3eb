#include "dspu/core/breaker_machine.hpp"

#include "dspu/core/check.hpp"

namespace dspu::core {

breaker_machine::breaker_machine(const breaker_options& options)
    : options_(options), max_probes_(options.half_open_max_calls.value_or(options.success_threshold)) {
  require(options.failure_threshold >= 1, "circuit_breaker.failure_threshold", options.failure_threshold,
          "at least 1");
  require(options.success_threshold >= 1, "circuit_breaker.success_threshold", options.success_threshold,
          "at least 1");
  require(options.timeout >= duration{0}, "circuit_breaker.timeout", options.timeout, "at least 0 s");
  require(max_probes_ >= 1, "circuit_breaker.half_open_max_calls", max_probes_, "at least 1");
}

admission breaker_machine::enter(instant now) {
  admission a{true, generation_, std::nullopt, std::nullopt};
  if (state_ == circuit_state::closed) return a;

  if (state_ == circuit_state::open) {
    if (now < open_until_) {
      a.admitted = false;
      a.retry_after = open_until_ - now;
      return a;
    }
    successes_ = 0;
    a.transition = move_to(circuit_state::half_open);
    a.generation = generation_;
  }
  if (probes_ >= max_probes_) {
    a.admitted = false;
    return a;
  }
  ++probes_;
  return a;
}

std::optional<circuit_transition> breaker_machine::settle(std::uint64_t generation, verdict v, instant now) {
  if (generation != generation_) return std::nullopt;
  const bool half_open = state_ == circuit_state::half_open;
  if (half_open) --probes_;

  switch (v) {
    case verdict::ignored: return std::nullopt;
    case verdict::success:
      if (!half_open) {
        failures_ = 0;
        return std::nullopt;
      }
      if (++successes_ < options_.success_threshold) return std::nullopt;
      failures_ = successes_ = 0;
      return move_to(circuit_state::closed);
    case verdict::failure:
      last_failure_ = now;
      if (half_open) return open(now);
      if (++failures_ < options_.failure_threshold) return std::nullopt;
      return open(now);
  }
  return std::nullopt;
}

std::optional<circuit_transition> breaker_machine::reset() {
  failures_ = successes_ = 0;
  last_failure_.reset();
  if (state_ == circuit_state::closed) {
    ++generation_;
    return std::nullopt;
  }
  return move_to(circuit_state::closed);
}

circuit_transition breaker_machine::open(instant now) {
  open_until_ = add_saturating(now, options_.timeout);
  return move_to(circuit_state::open);
}

circuit_transition breaker_machine::move_to(circuit_state next) {
  const circuit_transition t{state_, next};
  state_ = next;
  ++generation_;
  probes_ = 0;
  return t;
}

}  // namespace dspu::core
