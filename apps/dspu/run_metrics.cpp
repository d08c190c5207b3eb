#include "dspu/run_metrics.hpp"

#include "dspu/failure.hpp"

#ifdef DSPU_HAS_PROMETHEUS

#include "dspu/prometheus/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <cstdint>

namespace dspu::app {

namespace {

using ::prometheus::BuildCounter;
using ::prometheus::BuildGauge;
using ::prometheus::Counter;
using ::prometheus::Gauge;

class registered_metrics final : public run_metrics {
 public:
  registered_metrics() {
    auto& results = BuildCounter()
                        .Name("dspu_fetch_requests_total")
                        .Help("Requests that are finished, by outcome (docs/fetch.md).")
                        .Register(registry_);
    for (std::size_t i = 0; i < outcome_count; ++i)
      results_[i] = &results.Add({{"outcome", std::string(to_string(static_cast<outcome>(i)))}});
    auto& origins = BuildGauge()
                        .Name("dspu_fetch_origins")
                        .Help("Origins, by what keeps their requests: known counts all.")
                        .Register(registry_);
    known_ = &origins.Add({{"state", "known"}});
    held_ = &origins.Add({{"state", "held"}});
    open_ = &origins.Add({{"state", "open"}});
    at_rate_ = &origins.Add({{"state", "rate_limited"}});
  }

  aio::observer& observer() override { return decisions_; }

  void add(const result_record& record) override {
    results_[static_cast<std::size_t>(record.outcome)]->Increment();
    bytes_.Increment(static_cast<double>(record.bytes));
  }

  std::string page(const run_gauges& now) override {
    const auto set = [](Gauge& gauge, auto value) { gauge.Set(static_cast<double>(value)); };
    set(read_, now.progress.counts.read);
    set(in_flight_, now.progress.in_flight);
    set(waiting_, now.waiting);
    set(idle_, now.idle_connections);
    set(*known_, now.progress.origins.known);
    set(*held_, now.progress.origins.held);
    set(*open_, now.progress.origins.open);
    set(*at_rate_, now.progress.origins.waiting_for_rate);
    return ::prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  Gauge& gauge(const char* name, const char* help) {
    return BuildGauge().Name(name).Help(help).Register(registry_).Add({});
  }

  ::prometheus::Registry registry_;
  prometheus::metrics decisions_{registry_};
  std::array<Counter*, outcome_count> results_{};
  Counter& bytes_ = BuildCounter()
                        .Name("dspu_fetch_received_bytes_total")
                        .Help("Bytes of the last bodies of finished requests, after inflation.")
                        .Register(registry_)
                        .Add({});
  Gauge& read_ = gauge("dspu_fetch_requests_read", "Requests that have been read from the input.");
  Gauge& in_flight_ = gauge("dspu_fetch_requests_in_flight", "Requests that are out.");
  Gauge& waiting_ =
      gauge("dspu_fetch_requests_waiting", "Requests that have been read and wait for their turn.");
  Gauge& idle_ = gauge("dspu_fetch_connections_idle", "Connections that are kept alive.");
  Gauge* known_ = nullptr;
  Gauge* held_ = nullptr;
  Gauge* open_ = nullptr;
  Gauge* at_rate_ = nullptr;
};

}  // namespace

std::unique_ptr<run_metrics> make_run_metrics() { return std::make_unique<registered_metrics>(); }

}  // namespace dspu::app

#else

namespace dspu::app {

std::unique_ptr<run_metrics> make_run_metrics() {
  throw usage_error("--metrics: this dspu was built without prometheus-cpp");
}

}  // namespace dspu::app

#endif
