#include "dspu/prometheus/metrics.hpp"

#include "dspu/core/check.hpp"
#include "series_table.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <cmath>
#include <limits>
#include <map>

namespace dspu::prometheus {

namespace {

using aio::event;
using aio::event_kind;
using ::prometheus::Counter;
using ::prometheus::Gauge;
using ::prometheus::Histogram;

constexpr std::string_view other = "other";
// In one pipeline. The policies of the library have fewer words than that.
constexpr std::size_t most_counters = 200;
constexpr std::size_t most_of_the_rest = 40;

// A family and the names of its labels beside `pipeline`; an empty one is none.
template <class Metric>
struct family {
  ::prometheus::Family<Metric>* registered;
  std::string first;
  std::string second;
  std::vector<double> buckets = {};

  Metric& add(std::string_view pipeline, std::string_view first_value, std::string_view second_value) const {
    std::map<std::string, std::string> labels{{"pipeline", std::string(pipeline)}};
    if (!first.empty()) labels.emplace(first, first_value);
    if (!second.empty()) labels.emplace(second, second_value);
    if constexpr (std::is_same_v<Metric, Histogram>) {
      return registered->Add(labels, buckets);
    } else {
      return registered->Add(labels);
    }
  }
};

void check_buckets(const std::vector<double>& bounds, std::string_view name) {
  double last = -std::numeric_limits<double>::infinity();
  for (const double b : bounds) {
    core::require(std::isfinite(b) && b > last, name, b, "finite, and above the bound before it");
    last = b;
  }
}

metrics_options checked(metrics_options o) {
  check_buckets(o.seconds, "metrics.seconds");
  check_buckets(o.attempts, "metrics.attempts");
  core::require(o.max_pipelines >= 1 && o.max_pipelines <= 10'000, "metrics.max_pipelines",
                static_cast<std::int64_t>(o.max_pipelines), "from 1 to 10000");
  return o;
}

// All that is counted, by family.
struct families {
  families(::prometheus::Registry& r, const metrics_options& o)
      : registry(r),
        calls(counter("dspu_calls_total", "Calls through the pipeline that ended, by how they ended.",
                      "outcome")),
        attempts(counter("dspu_attempts_total", "Runs of the operation that ended, first ones and retries.",
                         "outcome", "attempt")),
        retries(
            counter("dspu_retries_total", "Retries that were scheduled, by what set their pause.", "reason")),
        abandoned(counter("dspu_retries_abandoned_total", "Failed attempts that were not retried, by why.",
                          "reason")),
        refusals(
            counter("dspu_refusals_total", "Calls and attempts that a policy refused.", "policy", "reason")),
        timeouts(counter(
            "dspu_timeouts_total",
            "Timeouts that expired: the result was replaced (expired), or came just then (kept).", "reason")),
        transitions(counter("dspu_circuit_breaker_transitions_total",
                            "Changes of the circuit breaker's state, by the new state and what caused it.",
                            "state", "reason")),
        hedges(counter("dspu_hedges_total", "Attempts that were begun beside one under way.")),
        hedge_wins(counter("dspu_hedge_wins_total", "Of these, those whose result was the call's.")),
        fallbacks(
            counter("dspu_fallbacks_total", "Failures in whose place the fallback answered.", "reason")),
        injected(counter("dspu_injected_faults_total", "Faults and delays that chaos injected.", "reason")),
        shadowed(counter("dspu_shadow_decisions_total",
                         "Calls that a policy in shadow mode would have refused or made wait.", "policy",
                         "reason")),
        call_seconds(histogram("dspu_call_duration_seconds",
                               "How long calls took, pauses and waits included.", o.seconds)),
        call_attempts(histogram("dspu_call_attempts", "Attempts that a call took.", o.attempts)),
        attempt_seconds(
            histogram("dspu_attempt_duration_seconds", "How long runs of the operation took.", o.seconds)),
        retry_delay(histogram("dspu_retry_delay_seconds", "Pauses before retries.", o.seconds)),
        wait_seconds(histogram("dspu_wait_duration_seconds",
                               "How long a policy made calls wait that it then let pass.", o.seconds,
                               "policy")),
        breaker_state(
            gauge("dspu_circuit_breaker_state", "1 for the state that the circuit breaker is in.", "state")),
        limit(
            gauge("dspu_concurrency_limit", "The most that may be under way at once, as adapted.", "policy")),
        in_flight(gauge("dspu_concurrency_in_flight", "What was under way when the limit was last adapted.",
                        "policy")),
        pace(gauge("dspu_adaptive_rate_limit",
                   "Calls per second at which an adaptive rate lets calls go; 0: no limit.")),
        tokens(gauge("dspu_rate_limiter_tokens", "Tokens in the rate limiter's bucket.")),
        waiting(gauge("dspu_rate_limiter_waiting", "Waiters in the rate limiter's line.")) {}

  family<Counter> counter(const char* name, const char* help, const char* first = "",
                          const char* second = "") {
    return {&::prometheus::BuildCounter().Name(name).Help(help).Register(registry), first, second};
  }
  family<Gauge> gauge(const char* name, const char* help, const char* first = "") {
    return {&::prometheus::BuildGauge().Name(name).Help(help).Register(registry), first, ""};
  }
  family<Histogram> histogram(const char* name, const char* help, const std::vector<double>& buckets,
                              const char* first = "") {
    return {&::prometheus::BuildHistogram().Name(name).Help(help).Register(registry), first, "", buckets};
  }

  ::prometheus::Registry& registry;
  family<Counter> calls;
  family<Counter> attempts;
  family<Counter> retries;
  family<Counter> abandoned;
  family<Counter> refusals;
  family<Counter> timeouts;
  family<Counter> transitions;
  family<Counter> hedges;
  family<Counter> hedge_wins;
  family<Counter> fallbacks;
  family<Counter> injected;
  family<Counter> shadowed;
  family<Histogram> call_seconds;
  family<Histogram> call_attempts;
  family<Histogram> attempt_seconds;
  family<Histogram> retry_delay;
  family<Histogram> wait_seconds;
  family<Gauge> breaker_state;
  family<Gauge> limit;
  family<Gauge> in_flight;
  family<Gauge> pace;
  family<Gauge> tokens;
  family<Gauge> waiting;
};

// One pipeline's series.
class pipeline_series {
 public:
  explicit pipeline_series(std::string_view name) : name_(name) {}

  void count(const family<Counter>& f, std::string_view first = {}, std::string_view second = {}) {
    find(counters_, f, first, second).Increment();
  }
  void observe(const family<Histogram>& f, double value, std::string_view first = {}) {
    find(histograms_, f, first, {}).Observe(value);
  }
  void set(const family<Gauge>& f, double value, std::string_view first = {}) {
    find(gauges_, f, first, {}).Set(value);
  }

  // A breaker's changes are told outside of its lock, so the news of two threads may come in the wrong order.
  void set_state(const family<Gauge>& f, std::string_view state, std::uint64_t generation) {
    const std::lock_guard lock(state_mutex_);
    if (generation < generation_) return;
    generation_ = generation;
    for (const std::string_view s : {"closed", "open", "half_open", "isolated"})
      set(f, s == state ? 1 : 0, s);
  }

 private:
  template <class Metric>
  Metric& find(series_table<Metric>& table, const family<Metric>& f, std::string_view first,
               std::string_view second) {
    const auto make = [&](const series_key& k) { return &f.add(name_, k.first, k.second); };
    auto* found = table.find({&f, first, second}, make);
    if (found == nullptr) return f.add(name_, other, other);
    return *found;
  }

  const std::string name_;
  series_table<Counter> counters_{most_counters};
  series_table<Histogram> histograms_{most_of_the_rest};
  series_table<Gauge> gauges_{most_of_the_rest};
  std::mutex state_mutex_;
  std::uint64_t generation_ = 0;
};

}  // namespace

class metrics::impl {
 public:
  impl(::prometheus::Registry& registry, const metrics_options& options)
      : families_(registry, options),
        by_name_(options.max_pipelines),
        state_(options.circuit_breaker_state) {}

  void note(const event& e);
  pipeline_series& series_of(std::string_view pipeline) {
    const auto make = [this](const series_key& k) {
      return all_.emplace_back(std::make_unique<pipeline_series>(k.first)).get();
    };
    auto* found = by_name_.find({nullptr, pipeline, {}}, make);
    return found == nullptr ? others_ : *found;
  }
  const families& metric_families() const { return families_; }

  std::atomic<std::uint64_t> lost{0};

 private:
  void end_call(const event& e, pipeline_series& s);
  void end_attempt(const event& e, pipeline_series& s);
  void change_state(const event& e, pipeline_series& s);

  families families_;
  std::vector<std::unique_ptr<pipeline_series>> all_;  // guarded by by_name_'s lock
  series_table<pipeline_series> by_name_;
  pipeline_series others_{other};
  bool state_;
};

void metrics::impl::end_call(const event& e, pipeline_series& s) {
  s.count(families_.calls, e.reason);
  s.observe(families_.call_seconds, aio::fact_or(e, "seconds", 0));
  s.observe(families_.call_attempts, aio::fact_or(e, "attempts", 0));
}

void metrics::impl::end_attempt(const event& e, pipeline_series& s) {
  s.count(families_.attempts, e.reason, e.attempt > 1 ? "retry" : "first");
  s.observe(families_.attempt_seconds, aio::fact_or(e, "seconds", 0));
}

void metrics::impl::change_state(const event& e, pipeline_series& s) {
  s.count(families_.transitions, e.state, e.reason);
  if (state_)
    s.set_state(families_.breaker_state, e.state,
                static_cast<std::uint64_t>(aio::fact_or(e, "generation", 0)));
}

void metrics::impl::note(const event& e) {
  auto& s = series_of(e.pipeline);
  const auto& f = families_;
  switch (e.kind) {
    case event_kind::call_ended:
      return end_call(e, s);
    case event_kind::attempt_ended:
      return end_attempt(e, s);
    case event_kind::retry_scheduled:
      s.count(f.retries, e.reason);
      return s.observe(f.retry_delay, aio::fact_or(e, "delay", 0));
    case event_kind::retry_gave_up:
      return s.count(f.abandoned, e.reason);
    case event_kind::refused:
      return s.count(f.refusals, e.policy, e.reason);
    case event_kind::waited:
      return s.observe(f.wait_seconds, aio::fact_or(e, "seconds", 0), e.policy);
    case event_kind::timed_out:
      return s.count(f.timeouts, e.reason);
    case event_kind::state_changed:
      return change_state(e, s);
    case event_kind::limit_changed:
      if (e.policy == "adaptive_rate") return s.set(f.pace, aio::fact_or(e, "rate", 0));
      s.set(f.limit, aio::fact_or(e, "limit", 0), e.policy);
      return s.set(f.in_flight, aio::fact_or(e, "in_flight", 0), e.policy);
    case event_kind::hedged:
      return s.count(f.hedges);
    case event_kind::hedge_won:
      return s.count(f.hedge_wins);
    case event_kind::fell_back:
      return s.count(f.fallbacks, e.reason);
    case event_kind::injected:
      return s.count(f.injected, e.reason);
    case event_kind::shadowed:
      return s.count(f.shadowed, e.policy, e.reason);
  }
}

metrics::metrics(::prometheus::Registry& registry, metrics_options options)
    : impl_(std::make_unique<impl>(registry, checked(std::move(options)))) {}

metrics::~metrics() = default;

void metrics::on_event(const event& e) noexcept {
  try {
    impl_->note(e);
  } catch (...) {
    impl_->lost.fetch_add(1, std::memory_order_relaxed);
  }
}

void metrics::update(std::string_view pipeline, const core::breaker_statistics& now) {
  impl_->series_of(pipeline).set_state(impl_->metric_families().breaker_state, core::name_of(now.state),
                                       now.generation);
}

void metrics::update(std::string_view pipeline, const aio::rate_limiter_statistics& now) {
  auto& series = impl_->series_of(pipeline);
  series.set(impl_->metric_families().tokens, now.tokens);
  series.set(impl_->metric_families().waiting, static_cast<double>(now.waiting));
}

void metrics::update(std::string_view pipeline, const aio::adaptive_rate_statistics& now) {
  impl_->series_of(pipeline).set(impl_->metric_families().pace, now.pace.value_or(0));
}

std::uint64_t metrics::lost() const { return impl_->lost.load(std::memory_order_relaxed); }

}  // namespace dspu::prometheus
