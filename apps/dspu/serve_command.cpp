#include "dspu/serve_command.hpp"

#include "dspu/cli_option.hpp"
#include "dspu/parse.hpp"
#include "dspu/printable.hpp"
#include "dspu/serve.hpp"
#include "dspu/serve_parse.hpp"
#include "dspu/stop_signals.hpp"

#include <boost/asio/io_context.hpp>

#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>

namespace dspu::app {

namespace {

constexpr int usage_error = 2;
constexpr int io_error = 3;

void add_listening_options(CLI::App& app, serve_options& o) {
  const std::string group = "Listening";
  app.add_option("--address", o.address, "IP address to listen on")->capture_default_str()->group(group);
  app.add_flag("--any-address", o.allow_any_address, "Let --address be other than loopback")->group(group);
  app.add_option("--port", o.port, "Port; 0 takes any that is free")->capture_default_str()->group(group);
  app.add_option("--cert", o.certificate, "PEM file of the certificate chain; with --key, serves https")
      ->group(group);
  app.add_option("--key", o.private_key, "PEM file of the certificate's private key")->group(group);
}

void add_trouble_options(CLI::App& app, serve_options& o) {
  const std::string group = "Trouble (a RATIO of the requests: 10% or 0.1)";
  app.add_option("--seed", o.seed, "The same seed gives the n-th request the same fate")
      ->capture_default_str()
      ->group(group);
  struct rate_option {
    const char* name;
    double& target;
    const char* help;
  };
  const rate_option rates[] = {
      {"--fail", o.failure_rate, "Answered with a --fail-status"},
      {"--reset", o.reset_rate, "Reset, half in the header, half in the body"},
      {"--truncate", o.truncate_rate, "Cut short of their Content-Length"},
      {"--slow", o.slow_rate, "Whose body drips over --slow-duration"},
      {"--silent", o.silent_rate, "Never answered"},
      {"--wrong-length", o.wrong_length_rate, "With more bytes than their Content-Length says"},
      {"--endless", o.endless_rate, "With a body that never ends"},
  };
  for (const auto& rate : rates)
    add_parsed_option(app, rate.name, rate.target, parse_ratio, rate.help, "0")
        ->type_name("RATIO")
        ->group(group);
  add_parsed_option(app, "--fail-status", o.failure_statuses, parse_statuses, "Statuses of failures: 500,503",
                    "503")
      ->type_name("LIST")
      ->group(group);
  add_parsed_option(app, "--slow-duration", o.slow_duration, parse_duration, "How long a slow body takes",
                    "2s")
      ->type_name("DURATION")
      ->group(group);
  add_parsed_option(
      app, "--latency", o.latency, parse_latency,
      "Time to answer: 20ms (constant), p50=20ms (lognormal) or SHAPE,p50=20ms with constant, uniform, "
      "exponential or lognormal",
      "0")
      ->type_name("LATENCY")
      ->group(group);
  add_parsed_option(
      app, "--outage", o.outages, parse_outages,
      "START+LENGTH, such as 10s+5s, in which connections are refused, or 10s+5s:503; several with commas")
      ->type_name("OUTAGES")
      ->group(group);
}

void add_limit_options(CLI::App& app, serve_options& o) {
  const std::string group = "Limit";
  add_parsed_option(
      app, "--rate", o.limit, parse_request_limit,
      "Requests admitted, such as 100/s or 100/s,burst=20; more are answered 429 with Retry-After")
      ->type_name("RATE")
      ->group(group);
  app.add_option("--limit-status", o.limit_status, "Status of what is beyond the limit")
      ->type_name("STATUS")
      ->capture_default_str()
      ->group(group);
  app.add_flag_callback(
         "--no-retry-after", [&o] { o.sends_retry_after = false; },
         "Do not say when to come back, as nginx's limit_req")
      ->group(group);
  app.add_flag("--retry-after-date", o.retry_after_as_date, "Retry-After as an HTTP date instead of seconds")
      ->group(group);
}

void add_answer_options(CLI::App& app, serve_options& o) {
  const std::string group = "Answers";
  add_parsed_option(app, "--body-size", o.body_size, parse_size, "Size of a body; 0: a line naming the path",
                    "0")
      ->type_name("SIZE")
      ->group(group);
  app.add_flag_callback(
         "--no-gzip", [&o] { o.gzip = false; }, "Never compress")
      ->group(group);
  app.add_option("--keep-alive", o.keep_alive_requests, "Requests a connection may carry; 0: any number")
      ->capture_default_str()
      ->group(group);
  app.add_flag_callback(
         "--silent-close", [&o] { o.announce_close = false; },
         "End connections of --keep-alive without Connection: close")
      ->group(group);
}

}  // namespace

int run_server(const serve_options& options, std::ostream& log) {
  boost::asio::io_context loop(1);
  std::unique_ptr<unreliable_server> server;
  try {
    server = std::make_unique<unreliable_server>(loop.get_executor(), options);
  } catch (const std::invalid_argument& error) {
    log << "dspu serve: " << printable(error.what()) << std::endl;
    return usage_error;
  } catch (const std::runtime_error& error) {
    log << "dspu serve: " << printable(error.what()) << std::endl;
    return io_error;
  }
  std::optional<stop_signals> signals;
  signals.emplace(loop.get_executor(), [&](int) {
    server->stop();
    signals->close();
  });
  log << "dspu serve: listening on " << server->url() << ", seed " << options.seed << std::endl;
  loop.run();
  log << server->statistics() << std::flush;
  return 0;
}

void add_serve_options(CLI::App& app, serve_options& options) {
  add_listening_options(app, options);
  add_trouble_options(app, options);
  add_limit_options(app, options);
  add_answer_options(app, options);
}

void add_serve_command(CLI::App& parent, int& exit_status) {
  const auto options = std::make_shared<serve_options>();
  CLI::App& app =
      *parent.add_subcommand("serve", "Serve HTTP that goes wrong to order, for trying clients against it");
  add_serve_options(app, *options);
  app.callback([options, &exit_status] { exit_status = run_server(*options, std::cerr); });
}

}  // namespace dspu::app
