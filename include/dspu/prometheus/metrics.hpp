// metrics: what pipelines decide, as counters, histograms and gauges in a registry of prometheus-cpp.
//
//   ::prometheus::Registry registry;
//   dspu::prometheus::metrics metrics(registry);
//   auto resilient = (retry{} | breaker).observed_by(metrics, "catalog");
//   …
//   ::prometheus::TextSerializer{}.Serialize(registry.Collect());       // or an Exposer of prometheus-cpp's
//   pull library
//
// Names and labels follow Prometheus' conventions; docs/telemetry.md has the table. The label `pipeline` is
// the name given to observed_by(). Label values are bounded: the names of pipelines by max_pipelines, all
// others by the words that policies have. What passes a bound is counted under "other".
//
// Thread-safety: everything may be called from any thread. An event is a look-up without a lock and an atomic
// addition for each counter; a histogram is prometheus-cpp's, which takes its own lock for a moment. The
// first event of its kind adds a series, which allocates. The registry must outlive it.
#pragma once

#include "dspu/aio/adaptive_rate_options.hpp"
#include "dspu/aio/observer.hpp"
#include "dspu/aio/rate_limiter_options.hpp"
#include "dspu/core/breaker_machine.hpp"

#include <prometheus/registry.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace dspu::prometheus {

struct metrics_options {
  // Upper bounds of the buckets of all histograms of durations, in seconds; finite, rising. Each is a series
  // more for each histogram and pipeline.
  std::vector<double> seconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                 0.5,   1,      2.5,   5,    10,    30,   60};
  // The same of the histogram of attempts in a call.
  std::vector<double> attempts = {0, 1, 2, 3, 4, 5, 10};
  // Pipelines with a name of their own; further ones share "other". In [1, 10'000].
  std::size_t max_pipelines = 100;
  // The gauge dspu_circuit_breaker_state. Off where several breakers share a pipeline's name, which it cannot
  // tell apart.
  bool circuit_breaker_state = true;
};

class metrics final : public aio::observer {
 public:
  // Registers its families; those that are there already, of another `metrics`, are shared.
  // Throws: std::invalid_argument naming the option, its value and its range.
  explicit metrics(::prometheus::Registry& registry, metrics_options options = {});
  ~metrics() override;

  void on_event(const aio::event& e) noexcept override;

  // Sets the gauges of a pipeline's breaker and limiter by what they say of themselves: before a scrape, and
  // after changes by hand, of which no event tells.
  void update(std::string_view pipeline, const core::breaker_statistics& now);
  void update(std::string_view pipeline, const aio::rate_limiter_statistics& now);
  void update(std::string_view pipeline, const aio::adaptive_rate_statistics& now);

  // Events that could not be counted: there was no memory for a series.
  std::uint64_t lost() const;

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace dspu::prometheus
