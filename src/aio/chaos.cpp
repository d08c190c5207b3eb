#include "dspu/aio/chaos.hpp"

#include "dspu/aio/detail/in_words.hpp"
#include "dspu/core/check.hpp"

#include <random>

namespace dspu::aio {

std::exception_ptr fault_source::operator()() const {
  if (!make_) return std::make_exception_ptr(injected_fault());
  try {
    return make_();
  } catch (...) {
    return std::current_exception();
  }
}

namespace detail {

namespace {

core::chaos_options machine_options(const chaos_options& o) {
  if (!o.result)
    core::require(!(o.result_rate > 0), "chaos.result_rate", o.result_rate, "0 without chaos.result");
  return {.fault_rate = o.fault_rate,
          .result_rate = o.result_rate,
          .latency_rate = o.latency_rate,
          .latency_min = o.latency_min,
          .latency_max = o.latency_max};
}

std::uint64_t seed_of(const chaos_options& o) {
  if (o.seed) return *o.seed;
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

std::string percent(double rate) { return in_words(100 * rate) + " %"; }

}  // namespace

chaos_state::chaos_state(chaos_options options)
    : options_(std::make_shared<const chaos_options>(std::move(options))),
      machine_(machine_options(*options_)),
      seed_(seed_of(*options_)),
      random_(seed_) {}

void chaos_state::reconfigure(chaos_options options) {
  auto next = std::make_shared<const chaos_options>(std::move(options));
  const core::chaos_machine machine(machine_options(*next));
  const std::lock_guard lock(mutex_);
  machine_ = machine;
  options_.swap(next);
}

chaos_options chaos_state::options() const {
  const std::lock_guard lock(mutex_);
  return *options_;
}

stage_facts chaos_state::facts() const {
  const auto o = options();
  return {.policy = "chaos",
          .text = percent(o.fault_rate) + " faults, " + percent(o.result_rate) + " results, " +
                  percent(o.latency_rate) + " delayed by " + in_words(o.latency_min) + " to " +
                  in_words(o.latency_max)};
}

const std::type_info* chaos_state::gives() const {
  if (!enabled()) return nullptr;
  const std::lock_guard lock(mutex_);
  return options_->result_rate > 0 && !options_->shadow ? options_->result.type() : nullptr;
}

chaos_state::draw chaos_state::next() {
  const std::lock_guard lock(mutex_);
  draw d{machine_.next(random_), nullptr};
  if (d.injection.latency > duration{0} || d.injection.outcome != core::chaos_outcome::none)
    d.options = options_;
  return d;
}

entry chaos_session::enter(run& r, std::size_t) {
  drawn_ = {};
  if (!state_->enabled()) return entry::go;
  drawn_ = state_->next();
  if (!drawn_.options) return entry::go;

  const bool shadow = drawn_.options->shadow;
  const auto tell = [&](std::string_view what, std::initializer_list<fact> facts) {
    if (!shadow) state_->count();
    r.tell(shadow ? event_kind::shadowed : event_kind::injected, "chaos", what, facts);
  };
  const auto& injection = drawn_.injection;
  if (injection.latency > duration{0}) tell("latency", {{"seconds", in_seconds(injection.latency)}});
  if (injection.outcome == core::chaos_outcome::fault) tell("fault", {});
  if (injection.outcome == core::chaos_outcome::result) tell("result", {});
  if (shadow) {
    drawn_ = {};
    return entry::go;
  }
  return injection.latency > duration{0} ? entry::wait : act(r);
}

entry chaos_session::act(run& r) {
  if (drawn_.injection.outcome == core::chaos_outcome::none) return entry::go;
  r.counter.begun();  // those further out take it for the operation
  const bool made_up = drawn_.injection.outcome == core::chaos_outcome::result;
  return made_up ? entry::answer : r.refuse(drawn_.options->fault());
}

void chaos_session::go_on(run& r) {
  const auto e = act(r);
  if (e == entry::refuse) std::rethrow_exception(std::exchange(r.refusal, nullptr));
  r.answers = e == entry::answer;
}

void chaos_session::answer(run&, ending e) {
  try {
    drawn_.options->result(e);
  } catch (...) {
    e.fail(std::current_exception());
  }
}

}  // namespace detail

}  // namespace dspu::aio
