#include "dspu/run_telemetry.hpp"

#include "dspu/failure.hpp"

#include <cerrno>
#include <stdexcept>
#include <utility>
#include <vector>

namespace dspu::app {

run_telemetry::run_telemetry(const fetch_options& options, const boost::asio::any_io_executor& executor,
                             std::function<run_gauges()> gauges) {
  std::vector<aio::observer*> told;
  if (options.metrics) {
    metrics_ = make_run_metrics();
    told.push_back(&metrics_->observer());
    auto page = [this, gauges = std::move(gauges)] { return metrics_->page(gauges()); };
    try {
      server_.emplace(executor, *options.metrics, std::move(page));
    } catch (const std::runtime_error& error) {
      throw io_error(std::string("--metrics: ") + error.what());
    }
  }
  if (!options.record.empty()) {
    record_name_ = options.record;
    record_file_.reset(std::fopen(record_name_.c_str(), "we"));
    if (!record_file_) throw io_failure("--record: cannot write " + record_name_, errno);
    recorder_.emplace(record_file_.get());
    told.push_back(&*recorder_);
  }
  if (!told.empty()) all_.emplace(std::move(told));
}

void run_telemetry::add(const result_record& record) {
  if (metrics_) metrics_->add(record);
}

void run_telemetry::stop() {
  if (server_) server_->stop();
  if (record_file_ && std::fclose(record_file_.release()) != 0)
    throw io_failure("--record: cannot write " + record_name_, errno);
}

}  // namespace dspu::app
