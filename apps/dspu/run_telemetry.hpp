// Whoever is told of a run's decisions: the metrics of --metrics, the recording of --record.
#pragma once

#include "dspu/aio/observer.hpp"
#include "dspu/aio/recorder.hpp"
#include "dspu/metrics_server.hpp"
#include "dspu/options.hpp"
#include "dspu/run_metrics.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dspu::app {

// Thread-safety: none; it lives on the run's loop.
class run_telemetry {
 public:
  // Opens what the options ask for; a file keeps what it holds until start(). `gauges` is called for each
  // scrape, until stop(). Throws: usage_error, io_error.
  run_telemetry(const fetch_options& options, const boost::asio::any_io_executor& executor,
                std::function<run_gauges()> gauges);

  // The run begins: empties the recording's file. Throws: io_error.
  void start();
  // Null if nobody wants to know.
  aio::observer* observer() { return all_ ? &*all_ : nullptr; }
  void add(const result_record& record);
  // Empty without --metrics.
  std::string metrics_url() const { return server_ ? server_->url() : std::string(); }

  // The run is over. Throws: io_error, if the recording could not be written to its end.
  void stop();
  // Requests that the recording does not hold.
  std::uint64_t unrecorded() const { return recorder_ ? recorder_->lost() : 0; }

 private:
  struct closing {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void write_recording(std::string_view text);

  std::string record_name_;
  std::string first_line_;  // of the recording, until start()
  bool started_ = false;
  std::unique_ptr<std::FILE, closing> record_file_;
  std::optional<aio::recorder> recorder_;
  std::unique_ptr<run_metrics> metrics_;
  std::optional<metrics_server> server_;
  std::optional<aio::observers> all_;
};

}  // namespace dspu::app
