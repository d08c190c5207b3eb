// What a run counts for --metrics: all that its pipelines decide (dspu/prometheus/metrics.hpp, an origin is a
// pipeline), and what only a fetch has.
#pragma once

#include "dspu/aio/observer.hpp"
#include "dspu/progress.hpp"
#include "dspu/record.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace dspu::app {

struct run_gauges {
  progress_view progress{};  // its counts, origins and what is in flight
  std::size_t waiting = 0;
  std::size_t idle_connections = 0;
};

class run_metrics {
 public:
  virtual ~run_metrics() = default;
  virtual aio::observer& observer() = 0;
  virtual void add(const result_record& record) = 0;
  // The page, in Prometheus' text format.
  virtual std::string page(const run_gauges& now) = 0;
};

// Throws: usage_error if the program was built without prometheus-cpp.
std::unique_ptr<run_metrics> make_run_metrics();

}  // namespace dspu::app
