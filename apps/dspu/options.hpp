// Everything that `dspu fetch` can be told on the command line.
#pragma once

#include "dspu/address_rules.hpp"
#include "dspu/classify.hpp"
#include "dspu/core/adaptive_rate_options.hpp"
#include "dspu/core/backoff.hpp"
#include "dspu/core/breaker_options.hpp"
#include "dspu/engine.hpp"
#include "dspu/input.hpp"
#include "dspu/output_name.hpp"
#include "dspu/parse.hpp"
#include "dspu/parse_policy.hpp"
#include "dspu/recorded_headers.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace dspu::app {

// For origins that are ill: most of the newest requests fail. It comes back after 1 s, 2 s, 4 s … 30 s, and by steps.
core::breaker_options default_breaker();
// --data: a text, or the name of a file that holds it.
struct body_option {
  std::string text;
  std::string file;  // "-" is standard input
};

struct fetch_options {
  std::string config;  // a file of policies: fetch_config.hpp
  // input
  std::vector<std::string> urls;
  std::vector<std::string> inputs;
  std::optional<std::string> method;
  std::vector<std::string> headers;     // 'Name: value', or @FILE
  std::vector<std::string> header_env;  // 'Name: $VARIABLE'
  header_list secret_headers{};         // of @FILE and the environment; check() reads them
  std::optional<body_option> data;
  bool strict = false;
  bool dry_run = false;
  // output
  std::string output = "-";
  bool resume = false;
  bool retry_failed = false;
  std::string save;
  std::optional<output_name> save_as;
  bool overwrite = false;
  bool fsync = false;
  std::optional<std::uint64_t> inline_body;
  header_filter include_headers;
  std::string failed_to;
  std::string summary_json;
  std::optional<boost::asio::ip::tcp::endpoint> metrics;
  std::string record;
  bool print_limits = false;
  bool quiet = false;
  bool verbose = false;
  // load
  std::uint64_t concurrency = 50;
  std::uint64_t host_concurrency = 8;
  std::optional<core::adaptive_limit_options> adaptive_concurrency;
  std::optional<rate_spec> rate;
  std::optional<rate_spec> host_rate;
  std::map<std::string, rate_spec> origin_rates;  // by the name of the origin
  bool no_pace = false;
  core::adaptive_rate_options pace{};
  // retry
  std::uint64_t max_attempts = 3;
  core::backoff_options backoff{};
  retry_rules retry = parse_retry_on(default_retry_on);
  bool retry_unsafe = false;
  std::optional<core::retry_budget_options> retry_budget;
  std::optional<core::hedge_options> hedge;
  std::chrono::nanoseconds retry_after_max = std::chrono::hours(2);
  std::optional<std::uint64_t> max_failures;
  // breaker
  bool no_breaker = false;
  core::breaker_options breaker = default_breaker();
  // time
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(5);
  std::chrono::nanoseconds first_byte_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
  std::optional<speed_limit> min_speed;
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds deadline = std::chrono::minutes(5);
  std::chrono::nanoseconds max_time = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds grace = std::chrono::seconds(10);
  // network
  std::string cacert;
  bool insecure = false;
  std::uint64_t max_redirects = 10;
  std::optional<std::uint64_t> max_body;  // not set: default_max_body, or with --save none
  std::vector<std::string> origin_only;   // names of headers
  std::optional<std::string> proxy;
  bool keep_alive = true;
  address_rules addresses{};
};

inline constexpr std::uint64_t default_max_body = std::uint64_t{1} << 30;

// The options, in groups, bound to `options`, which must live as long as `app`.
void add_fetch_options(CLI::App& app, fetch_options& options);

// What no single option can know. `stdin_is_piped`: standard input is a file or a pipe.
// Throws: usage_error.
void check(fetch_options& options, bool stdin_is_piped);

// Puts what is in the file of --data into its text. Throws: usage_error.
void read_body(fetch_options& options);

// The most requests that may be out at once to one origin.
std::uint64_t most_per_origin(const fetch_options& options);

// What the parts of a run are told. Throws: usage_error.
input_options to_input_options(const fetch_options& options);
engine_options to_engine_options(const fetch_options& options);

}  // namespace dspu::app
