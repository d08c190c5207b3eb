#include "dspu/run_telemetry.hpp"

#include "dspu/failure.hpp"
#include "dspu/line_writer.hpp"

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
    record_file_.reset(std::fopen(record_name_.c_str(), "ae"));
    if (!record_file_) throw io_failure("--record: cannot write " + record_name_, errno);
    recorder_.emplace([this](std::string_view text) { write_recording(text); });
    told.push_back(&*recorder_);
  }
  if (!told.empty()) all_.emplace(std::move(told));
}

void run_telemetry::start() {
  if (!record_file_) return;
  empty_if_regular(::fileno(record_file_.get()), record_name_);
  started_ = true;
  write_recording(std::exchange(first_line_, {}));
}

void run_telemetry::write_recording(std::string_view text) {
  if (!started_) {
    first_line_ += text;
  } else if (std::fwrite(text.data(), 1, text.size(), record_file_.get()) != text.size()) {
    throw io_failure("--record: cannot write " + record_name_, errno);
  }
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
