// One run of `dspu fetch`: puts input, engine, client, output, progress and signals together.
#pragma once

#include "dspu/console.hpp"
#include "dspu/descriptor_limit.hpp"
#include "dspu/engine.hpp"
#include "dspu/exit_status.hpp"
#include "dspu/http_client.hpp"
#include "dspu/input.hpp"
#include "dspu/options.hpp"
#include "dspu/progress.hpp"
#include "dspu/result_output.hpp"
#include "dspu/resumed_source.hpp"
#include "dspu/run_log.hpp"
#include "dspu/run_telemetry.hpp"
#include "dspu/stop_signals.hpp"
#include "dspu/summary.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>

namespace dspu::app {

class fetch_run final : flow_observer {
 public:
  // Opens everything, and empties no file yet. Throws: usage_error, io_error, std::invalid_argument.
  explicit fetch_run(const fetch_options& options);

  // Runs to the end, with progress and summary on standard error. Returns the exit status. Throws: io_error.
  int run();

 private:
  void on_result(const result_record& record, const http_request& request) override;
  void on_turn() override { flush(); }
  void on_retry(const job& again, core::duration delay, core::retry_reason reason) override;
  void on_refusal(const job& again, core::duration delay) override;
  void on_pace(std::string_view origin, const pace_report& learnt) override;
  void on_hold(std::string_view origin, core::duration duration) override;
  void on_breaker(std::string_view origin, core::circuit_transition transition,
                  core::duration open_for) override;

  void empty_outputs();
  request_source& source();
  void say_what_was_found();
  boost::asio::awaitable<void> fetch();
  boost::asio::awaitable<void> deliver();
  void flush();
  void on_delivered();
  void stop(std::chrono::nanoseconds grace);
  void on_signal(int number);
  patience until_interrupted() const;
  void close();
  void show_progress_later();
  progress_view view();
  run_gauges gauges();
  int end();
  void say_strangers();

  const fetch_options& options_;
  console console_;
  run_log log_{console_, options_.verbose};
  connection_budget budget_;
  input input_;  // opened first: a wrong name must not cost the results of an earlier run
  result_output output_;
  std::optional<line_writer> summary_json_;
  std::optional<resumed_source> resumed_;
  boost::asio::io_context loop_{1};
  boost::asio::steady_timer ticker_;
  boost::asio::steady_timer delivery_;  // expires when results that nobody takes are given up
  http_client client_;
  run_telemetry telemetry_;
  engine engine_;
  summary summary_;
  rate_meter meter_;
  run_end end_;
  int signals_seen_ = 0;
  bool closed_ = false;
  std::exception_ptr error_;
  std::optional<stop_signals> signals_;  // while the run lasts: before and after it a signal just ends the process
};

}  // namespace dspu::app
