#include "dspu/core/chaos_machine.hpp"

#include "dspu/core/check.hpp"

namespace dspu::core {

namespace {

void require_rate(std::string_view name, double rate) {
  require(rate >= 0 && rate <= 1, name, rate, "0 to 1");
}

}  // namespace

chaos_machine::chaos_machine(const chaos_options& options) : options_(options) {
  require_rate("chaos.fault_rate", options.fault_rate);
  require_rate("chaos.result_rate", options.result_rate);
  require_rate("chaos.latency_rate", options.latency_rate);
  require(options.latency_min >= duration{0}, "chaos.latency_min", options.latency_min, "at least 0 s");
  require(options.latency_max >= options.latency_min, "chaos.latency_max", options.latency_max,
          "at least latency_min");
}

chaos_injection chaos_machine::next(const chaos_draws& draws) const {
  chaos_injection i;
  if (draws.latency < options_.latency_rate) i.latency = latency_of(draws.latency_length);
  if (draws.fault < options_.fault_rate) {
    i.outcome = chaos_outcome::fault;
  } else if (draws.result < options_.result_rate) {
    i.outcome = chaos_outcome::result;
  }
  return i;
}

chaos_injection chaos_machine::next(random_source& random) const {
  chaos_draws draws;
  draws.latency = random.unit();
  draws.latency_length = random.unit();
  draws.fault = random.unit();
  draws.result = random.unit();
  return next(draws);
}

// Each nanosecond of the range as likely as another, the last one included.
duration chaos_machine::latency_of(double unit) const {
  const duration range = options_.latency_max - options_.latency_min;
  return options_.latency_min + clamp_nanoseconds(unit * (static_cast<double>(range.count()) + 1), range);
}

}  // namespace dspu::core
