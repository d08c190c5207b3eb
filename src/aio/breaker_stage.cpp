#include "dspu/aio/detail/breaker_stage.hpp"

#include <array>

namespace dspu::aio::detail {

namespace {

// The numbers behind what a breaker decides, and room for some more.
class breaker_facts {
 public:
  explicit breaker_facts(const core::breaker_statistics& s) {
    add("generation", static_cast<double>(s.generation));
    add("failure_count", s.failure_count);
    add("success_count", s.success_count);
    add("window_calls", s.window.calls);
    add("window_failures", s.window.failures);
    add("window_slow", s.window.slow);
    add("probes", s.probes);
    add("reopenings", s.reopenings);
  }
  void add(std::string_view name, double value) { facts_[count_++] = {name, value}; }
  void add(std::string_view name, std::int64_t value) { add(name, static_cast<double>(value)); }
  std::span<const fact> all() const { return {facts_.data(), count_}; }

 private:
  std::array<fact, 10> facts_{};
  std::size_t count_ = 0;
};

// What the number that caused it was compared with.
std::optional<double> limit_of(const breaker_change& c) {
  switch (c.transition.cause) {
    case core::circuit_cause::failures:
      return static_cast<double>(c.options.failure_threshold);
    case core::circuit_cause::failure_rate:
      return c.options.window.failure_rate;
    case core::circuit_cause::slow_rate:
      return c.options.window.slow_rate;
    case core::circuit_cause::probe_slow:
      return in_seconds(c.options.window.slow_call.value_or(duration{0}));
    case core::circuit_cause::probes_succeeded:
      return static_cast<double>(c.options.success_threshold);
    default:
      return std::nullopt;
  }
}

}  // namespace

void tell_of_change(const run& r, const breaker_change& change) {
  breaker_facts facts(change.after);
  if (const auto limit = limit_of(change)) facts.add("limit", *limit);
  if (change.after.open_until)
    facts.add("open_for", in_seconds(*change.after.open_until - r.context.clock()));
  r.tell_with_state(event_kind::state_changed, "circuit_breaker", core::name_of(change.transition.cause),
                    core::name_of(change.transition.to), facts.all());
}

void tell_of_refusal(const run& r, event_kind kind, const core::breaker_statistics& now,
                     std::optional<duration> retry_after, const std::exception_ptr& error) {
  breaker_facts facts(now);
  if (retry_after) facts.add("retry_after", in_seconds(*retry_after));
  const char* state = core::name_of(now.state);
  r.tell_with_state(kind, "circuit_breaker", state, state, facts.all(), error);
}

}  // namespace dspu::aio::detail
