#include "dspu/options.hpp"

#include "dspu/cli_option.hpp"
#include "dspu/failure.hpp"
#include "dspu/metrics_server.hpp"
#include "dspu/request_url.hpp"
#include "dspu/whole_file.hpp"
#include "dspu/run_files.hpp"
#include "dspu/secret_headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>

namespace dspu::app {

namespace {

using std::chrono::nanoseconds;

template <class Count = std::uint64_t>
std::function<Count(std::string_view)> count_between(Count low, Count high) {
  return [low, high](std::string_view text) {
    Count value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || value < low || value > high) {
      throw std::invalid_argument("'" + std::string(text) + "' is not a whole number from " +
                                  std::to_string(low) + " to " + std::to_string(high));
    }
    return value;
  };
}

nanoseconds parse_positive_duration(std::string_view text) {
  const nanoseconds duration = parse_duration(text);
  if (duration == nanoseconds::zero())
    throw std::invalid_argument("'" + std::string(text) + "' is not more than 0");
  return duration;
}

nanoseconds parse_duration_or_none(std::string_view text) {
  return text == "none" ? nanoseconds::max() : parse_positive_duration(text);
}

std::uint64_t parse_size_or_none(std::string_view text) {
  return text == "none" ? std::numeric_limits<std::uint64_t>::max() : parse_size(text);
}

// "https://api.example.com" of "https://api.example.com:443/=50/s".
std::string origin_before_equals(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    throw std::invalid_argument("'" + std::string(text) + "' is not an origin and its rate, such as https://api.example.com=50/s");
  return parse_url(std::string(text.substr(0, equals))).server.to_string();
}

double parse_share(std::string_view text) {
  const double share = parse_ratio(text);
  if (share == 0) throw std::invalid_argument("'" + std::string(text) + "' is not more than 0");
  return share;
}

double parse_multiplier(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || !(value >= 0 && value <= 1000)) {
    throw std::invalid_argument("'" + std::string(text) + "' is not a number from 0 to 1000");
  }
  return value;
}

template <class Value, std::size_t Count>
std::function<Value(std::string_view)> one_of(std::array<std::pair<std::string_view, Value>, Count> choices) {
  return [choices](std::string_view text) {
    std::string names;
    for (const auto& [name, value] : choices) {
      if (name == text) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    throw std::invalid_argument("'" + std::string(text) + "' is none of " + names);
  };
}

std::function<core::backoff_strategy(std::string_view)> parse_strategy() {
  using core::backoff_strategy;
  return one_of<backoff_strategy, 3>({{{"exponential", backoff_strategy::exponential},
                                       {"linear", backoff_strategy::linear},
                                       {"constant", backoff_strategy::constant}}});
}

std::function<core::jitter(std::string_view)> parse_jitter() {
  using core::jitter;
  return one_of<jitter, 4>({{{"full", jitter::full},
                             {"equal", jitter::equal},
                             {"decorrelated", jitter::decorrelated},
                             {"none", jitter::none}}});
}

body_option parse_body(std::string_view text) {
  if (!text.starts_with('@')) return {std::string(text), {}};
  if (text.size() == 1) throw std::invalid_argument("'@' names no file");
  return {{}, std::string(text.substr(1))};
}

core::adaptive_limit_options parse_adaptive_or_default(std::string_view text) {
  constexpr std::string_view no_value = "true";  // CLI11's word for an option that stands alone
  return parse_adaptive_concurrency(text == no_value ? default_adaptive_concurrency : text);
}

void add_input_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Input";
  app.add_option("URL", o.urls, "What to fetch")->type_name("");
  app.add_option("-i,--input", o.inputs,
                 "A file of URLs or JSON lines; - is standard input, also taken if piped")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group(group);
  add_parsed_option(app, "-X,--method", o.method, parse_method,
                    "Method of requests that name none; else GET, or POST with -d")
      ->type_name("METHOD")
      ->group(group);
  app.add_option("-H,--header", o.headers,
                 "Header of every request, as 'Name: value', or @FILE with such lines; may be repeated")
      ->type_name("HEADER")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--header-env", o.header_env,
                 "The same, with the environment's variables for $NAME: 'Authorization: Bearer $TOKEN'")
      ->type_name("HEADER")
      ->allow_extra_args(false)
      ->group(group);
  add_parsed_option(app, "-d,--data", o.data, parse_body,
                    "Body of requests that have none; @FILE takes it from a file, @- from standard input")
      ->type_name("DATA")
      ->group(group);
  app.add_flag("--strict", o.strict, "Send nothing if a line of input is wrong")->group(group);
  app.add_flag("--dry-run", o.dry_run, "Read all input and print the plan for each origin; send nothing")
      ->group(group);
}

void add_output_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Output";
  app.add_option("-o,--output", o.output, "Where results go, a JSON line each; - is standard output")
      ->type_name("FILE")
      ->capture_default_str()
      ->group(group);
  app.add_flag("--resume", o.resume, "Go on with the results in -o FILE; what is there is not fetched again")
      ->group(group);
  app.add_flag("--retry-failed", o.retry_failed,
               "With --resume: do what has failed again; a later good line wins")
      ->group(group);
  app.add_option("--save", o.save, "Write each body to a file in this directory")
      ->type_name("DIR")
      ->group(group);
  add_parsed_option(
      app, "--output-name", o.save_as, [](std::string_view text) { return output_name(text); },
      "Name of each saved file, as '{host}/{n}{ext}'; fields: {id}, {n}, {host}, {path}, "
      "{basename}, {ext}",
      std::string(output_name::usual))
      ->type_name("NAME")
      ->group(group);
  app.add_flag("--overwrite", o.overwrite, "Let --output-name replace files that exist")->group(group);
  app.add_flag("--fsync", o.fsync, "Have results and saved bodies on the disk before they count (slower)")
      ->group(group);
  add_parsed_option(app, "--inline-body", o.inline_body, parse_size,
                    "Put bodies up to this size into the results")
      ->type_name("SIZE")
      ->group(group);
  add_parsed_option(app, "--include-headers", o.include_headers, parse_header_filter,
                    "Put these headers of answers into the results: all, or names as ETag,Link")
      ->type_name("NAMES")
      ->group(group);
  app.add_option("--failed-to", o.failed_to, "Write requests that failed here, in a form that -i reads")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--summary-json", o.summary_json, "Write the summary here as JSON")
      ->type_name("FILE")
      ->group(group);
  add_parsed_option(app, "--metrics", o.metrics, parse_loopback,
                    "Serve metrics for Prometheus at http://ADDRESS/metrics, as 127.0.0.1:9090; port 0: any")
      ->type_name("ADDRESS")
      ->group(group);
  app.add_option("--record", o.record, "Write a trace of all requests and attempts here, to be replayed")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("--print-limits", o.print_limits,
               "At the end, print options that state the limits that were found")
      ->group(group);
  auto* quiet = app.add_flag("-q,--quiet", o.quiet, "No progress, no summary")->group(group);
  app.add_flag("-v,--verbose", o.verbose, "Explain every retry, every hold, every breaker")
      ->group(group)
      ->excludes(quiet);
}

void add_config_option(CLI::App& app, fetch_options& o) {
  app.add_option("--config", o.config,
                 "Take policies from this JSON file; options on the command line go first")
      ->type_name("FILE")
      ->group("Policies");
}

void add_load_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Load";
  add_parsed_option(app, "-j,--concurrency", o.concurrency, count_between<std::uint64_t>(1, 100'000),
                    "Requests out at once", "50")
      ->type_name("N")
      ->group(group);
  auto* fixed = add_parsed_option(app, "--host-concurrency", o.host_concurrency,
                                  count_between<std::uint64_t>(1, 100'000), "The same for each origin", "8")
                    ->type_name("N")
                    ->group(group);
  add_parsed_option(app, "--adaptive-concurrency", o.adaptive_concurrency, parse_adaptive_or_default,
                    "Learn it instead: aimd, vegas or gradient2; ,min=1,max=200,initial=8")
      ->type_name("[=KIND]")
      ->expected(0)  // only what is behind a = is its own: a URL may follow
      ->group(group)
      ->excludes(fixed);
  add_parsed_option(app, "-r,--rate", o.rate, parse_rate, "Attempts a second, or as 100/m, 5/15s; ,burst=B")
      ->type_name("RATE")
      ->group(group);
  add_parsed_option(app, "--host-rate", o.host_rate, parse_rate, "The same for each origin")
      ->type_name("RATE")
      ->group(group);
  auto add_origin_rate = [&o](const std::string& text) {
    try {
      o.origin_rates.insert_or_assign(origin_before_equals(text), parse_rate(text.substr(text.find('=') + 1)));
    } catch (const std::invalid_argument& error) {
      throw CLI::ValidationError("--origin-rate", error.what());
    }
  };
  app.add_option_function<std::vector<std::string>>(
         "--origin-rate",
         [add_origin_rate](const std::vector<std::string>& all) { std::ranges::for_each(all, add_origin_rate); },
         "The rate of one origin, as https://api.example.com=50/s,burst=20; may be repeated")
      ->type_name("ORIGIN=RATE")
      ->allow_extra_args(false)
      ->group(group);
  auto* bounds = add_parsed_option(app, "--pace", o.pace, parse_pace,
                                   "Bounds of the pace that is learnt of each origin: max=100/s,min=1/m,burst=20,initial=5/s")
                     ->type_name("BOUNDS")
                     ->group(group);
  app.add_flag("--no-pace", o.no_pace, "Do not learn from refusals at which pace an origin takes requests")
      ->group(group)
      ->excludes(bounds);
}

void add_retry_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Retry";
  add_parsed_option(app, "--max-attempts", o.max_attempts, count_between<std::uint64_t>(1, 1000),
                    "Attempts in all; 1 never retries", "3")
      ->type_name("N")
      ->group(group);
  add_parsed_option(app, "--backoff", o.backoff.strategy, parse_strategy(), "exponential, linear or constant",
                    "exponential")
      ->type_name("KIND")
      ->group(group);
  add_parsed_option(app, "--base-delay", o.backoff.base_delay, parse_duration,
                    "Wait before the second attempt", "1s")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--max-delay", o.backoff.max_delay, parse_duration, "Longest wait of the backoff",
                    "60s")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--multiplier", o.backoff.multiplier, parse_multiplier, "Growth of the wait", "2")
      ->type_name("X")
      ->group(group);
  add_parsed_option(app, "--jitter", o.backoff.jitter, parse_jitter(), "full, equal, decorrelated or none",
                    "full")
      ->type_name("KIND")
      ->group(group);
  add_parsed_option(
      app, "--retry-on", o.retry, parse_retry_on,
      "Statuses, and connect, reset, timeout, dns_temporary, dns, tls, protocol, proxy; or none",
      std::string(default_retry_on))
      ->type_name("LIST")
      ->group(group);
  app.add_flag("--retry-unsafe", o.retry_unsafe, "Retry POST and the like too, which may then be done twice")
      ->group(group);
  add_parsed_option(app, "--retry-budget", o.retry_budget, parse_retry_budget,
                    "Retries of each origin, at most: 20% of its requests; ,floor=10/s and so many besides")
      ->type_name("SHARE")
      ->group(group);
  add_parsed_option(
      app, "--hedge", o.hedge, parse_hedge,
      "Send an idempotent request once more if it takes that long: 250ms, or p95 of its origin; ,max=1")
      ->type_name("DELAY")
      ->group(group);
  add_parsed_option(app, "--retry-after-max", o.retry_after_max, parse_duration,
                    "Fail at once where a Retry-After asks for more", "2h")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--max-failures", o.max_failures, count_between<std::uint64_t>(1, 1'000'000'000),
                    "Stop the run after so many failed requests")
      ->type_name("N")
      ->group(group);
}

void add_breaker_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Breaker (one for each origin)";
  using count = std::int64_t;
  add_parsed_option(app, "--breaker-failures", o.breaker.failure_threshold,
                    count_between<count>(0, 1'000'000), "Failures in a row that open it, too; 0: however many", "0")
      ->type_name("N")
      ->group(group);
  add_parsed_option(app, "--breaker-share", o.breaker.window.failure_rate, parse_share,
                    "Share of failures among the newest 20 results, of at least 10, that opens it", "80%")
      ->type_name("SHARE")
      ->group(group);
  add_parsed_option(app, "--breaker-successes", o.breaker.success_threshold,
                    count_between<count>(1, 1'000'000), "Successes that close it again", "3")
      ->type_name("N")
      ->group(group);
  add_parsed_option(app, "--breaker-timeout", o.breaker.timeout, parse_positive_duration,
                    "How long it stays open before it is tried; twice as long each time, up to 30s", "1s")
      ->type_name("TIME")
      ->group(group);
  app.add_flag("--no-breaker", o.no_breaker, "None at all")->group(group);
}

void add_time_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Time";
  add_parsed_option(app, "--connect-timeout", o.connect_timeout, parse_positive_duration,
                    "For a connection to stand", "5s")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--first-byte-timeout", o.first_byte_timeout, parse_duration_or_none,
                    "From when a request is sent until its answer begins; or none", "30s")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--stall-timeout", o.stall_timeout, parse_duration_or_none,
                    "Without a byte of a body, or of a request that goes out; or none", "30s")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--min-speed", o.min_speed, parse_min_speed,
                    "Bytes a second of a body, on average over 30s, or as 10k,1m")
      ->type_name("SIZE")
      ->group(group);
  add_parsed_option(app, "--timeout", o.timeout, parse_duration_or_none,
                    "For an attempt in all, body and all; or none", "none")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--deadline", o.deadline, parse_duration_or_none,
                    "For an answer to begin, from the first attempt, or while parked; or none", "5m")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--max-time", o.max_time, parse_duration_or_none, "For the run; or none", "none")
      ->type_name("TIME")
      ->group(group);
  add_parsed_option(app, "--grace", o.grace, parse_duration, "For what is out when the run is interrupted",
                    "10s")
      ->type_name("TIME")
      ->group(group);
}

void add_network_options(CLI::App& app, fetch_options& o) {
  const std::string group = "Network";
  app.add_option("--cacert", o.cacert, "PEM file of the certificates to trust")
      ->type_name("FILE")
      ->group(group);
  app.add_flag("-k,--insecure", o.insecure, "Accept any certificate")->group(group);
  add_parsed_option(app, "--max-redirects", o.max_redirects, count_between<std::uint64_t>(0, 1000),
                    "0 follows none", "10")
      ->type_name("N")
      ->group(group);
  add_parsed_option(app, "--origin-only", o.origin_only, parse_header_names,
                    "Headers that a redirect to another origin does not take along, as X-Api-Key,X-Token; "
                    "Authorization and Cookie never go")
      ->type_name("NAMES")
      ->group(group);
  add_parsed_option(app, "--max-body", o.max_body, parse_size_or_none,
                    "Longest body, after inflation; or none", "1GiB; none with --save")
      ->type_name("SIZE")
      ->group(group);
  app.add_flag_callback(
         "--no-keep-alive", [&o] { o.keep_alive = false; }, "A connection of its own for every request")
      ->group(group);
  add_parsed_options(app, "--resolve", o.addresses.hosts, parse_given_host,
                     "Connect to these addresses for this host; may be repeated")
      ->type_name("HOST:PORT:ADDRESS[,ADDRESS]")
      ->group(group);
  auto* v4 = app.add_flag_callback(
                    "-4,--ipv4", [&o] { o.addresses.family = ip_family::v4; }, "Connect by IPv4 only")
                 ->group(group);
  app.add_flag_callback(
         "-6,--ipv6", [&o] { o.addresses.family = ip_family::v6; }, "Connect by IPv6 only")
      ->group(group)
      ->excludes(v4);
  app.add_option("--proxy", o.proxy,
                 "HTTP or SOCKS5 proxy; '' for none; else as http_proxy, https_proxy, no_proxy say")
      ->type_name("URL")
      ->group(group);
}

// Once: a file may be a pipe.
void read_secret_headers(fetch_options& options) {
  for (const std::string& header : options.headers) {
    if (!header.starts_with('@')) continue;
    for (auto& each : read_header_file(header.substr(1))) options.secret_headers.push_back(std::move(each));
  }
  const auto environment = [](const std::string& name) -> const char* {
    return std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  };
  for (const std::string& header : options.header_env)
    options.secret_headers.push_back(expand_header(header, environment));
}

body_options to_body_options(const fetch_options& options) {
  body_options made;
  made.directory = options.save;
  made.inline_limit = options.inline_body;
  if (options.save_as) made.name = *options.save_as;
  made.overwrite = options.overwrite;
  made.sync = options.fsync;
  made.resume = options.resume;
  if (made.overwrite) made.files_of_run = files_of_run(options);
  return made;
}

}  // namespace

core::breaker_options default_breaker() {
  return {.failure_threshold = 0,
          .success_threshold = 3,
          .timeout = std::chrono::seconds(1),
          .window = {.calls = 20, .min_calls = 10, .failure_rate = 0.8},
          .timeout_multiplier = 2,
          .max_timeout = std::chrono::seconds(30),
          .half_open_ramp = true};
}

void add_fetch_options(CLI::App& app, fetch_options& options) {
  add_input_options(app, options);
  add_output_options(app, options);
  add_config_option(app, options);
  add_load_options(app, options);
  add_retry_options(app, options);
  add_breaker_options(app, options);
  add_time_options(app, options);
  add_network_options(app, options);
  for (CLI::Option* option : app.get_options())
    if (option->get_items_expected_max() == 0 && option->get_type_name().empty()) option->disable_flag_override();
}

void read_body(fetch_options& options) {
  if (!options.data || options.data->file.empty()) return;
  try {
    options.data->text = whole_file(options.data->file);
  } catch (const usage_error& error) {
    throw usage_error(std::string("--data: ") + error.what());
  }
}

void check(fetch_options& options, bool stdin_is_piped) {
  read_secret_headers(options);
  const bool body_from_stdin = options.data && options.data->file == "-";
  if (body_from_stdin && std::ranges::find(options.inputs, "-") != options.inputs.end())
    throw usage_error("standard input cannot be both the body (--data @-) and the list (--input -)");
  if (options.urls.empty() && options.inputs.empty()) {
    if (body_from_stdin)
      throw usage_error("nothing to fetch: --data @- takes standard input, so give URLs or -i FILE");
    if (!stdin_is_piped)
      throw usage_error("nothing to fetch: give URLs, -i FILE, or pipe a list into standard input");
    options.inputs.emplace_back("-");
  }
  if (options.save.empty() && (options.save_as || options.overwrite))
    throw usage_error("--output-name and --overwrite are about saved files: they need --save DIR");
  if (options.retry_failed && !options.resume)
    throw usage_error("--retry-failed needs --resume: what has failed stands in the results of earlier runs");
  if (options.resume && options.output == "-") {
    throw usage_error(
        "--resume needs -o FILE: the results in it say what is finished, and a pipe cannot be read back");
  }
}

std::uint64_t most_per_origin(const fetch_options& options) {
  const auto most = options.adaptive_concurrency
                        ? static_cast<std::uint64_t>(options.adaptive_concurrency->max)
                        : options.host_concurrency;
  return std::min(most, options.concurrency);
}

input_options to_input_options(const fetch_options& options) {
  input_options made;
  made.urls = options.urls;
  made.files = options.inputs;
  made.defaults.method = options.method;
  if (options.data) made.defaults.body = options.data->text;
  made.defaults.headers = options.secret_headers;
  for (const std::string& header : options.headers) {
    if (header.starts_with('@')) continue;
    try {
      made.defaults.headers.push_back(parse_header(header));
    } catch (const std::invalid_argument& error) {
      throw usage_error(std::string("--header: ") + error.what());
    }
  }
  return made;
}

engine_options to_engine_options(const fetch_options& options) {
  engine_options made;
  flow_options& flow = made.flow;
  scheduler_options& load = flow.scheduling;
  load.concurrency = options.concurrency;
  load.rate = options.rate;
  load.origin.concurrency = options.host_concurrency;
  load.origin.adaptive = options.adaptive_concurrency;
  load.origin.rate = options.host_rate;
  load.origin_rates = options.origin_rates;
  load.origin.retry_budget = options.retry_budget;
  if (!options.no_pace) {
    load.origin.pace = options.pace;
    load.origin.pace->max_hold = options.retry_after_max;
    load.origin.pace->max_concurrency =
        std::min(options.pace.max_concurrency, static_cast<std::int64_t>(most_per_origin(options)));
  }
  load.origin.health.tries = static_cast<std::int64_t>(options.max_attempts);
  load.origin.breaker = options.breaker;
  if (options.no_breaker) load.origin.breaker.reset();
  load.retry_after_max = options.retry_after_max;
  load.deadline = options.deadline;
  flow.retry = options.retry;
  flow.retry.unsafe = options.retry_unsafe;
  flow.plan = core::retry_plan(static_cast<std::int64_t>(options.max_attempts), options.backoff,
                               options.retry_after_max);
  flow.timeout = options.timeout;
  flow.hedge = options.hedge;
  flow.origin_only = options.origin_only;
  for (const auto& [name, value] : options.secret_headers) flow.origin_only.push_back(name);
  flow.include_headers = options.include_headers;
  flow.max_redirects = static_cast<unsigned>(options.max_redirects);
  flow.bodies = to_body_options(options);
  flow.seed = std::random_device{}();
  load.origin.seed = flow.seed;
  made.max_time = options.max_time;
  // Enough to keep everybody busy, whatever -j says.
  made.look_ahead = std::max<std::size_t>(made.look_ahead, 2 * options.concurrency);
  return made;
}

}  // namespace dspu::app
