#include "dspu/fetch_run.hpp"

#include "dspu/descriptor_limit.hpp"
#include "dspu/format.hpp"

#include "dspu/failure.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace dspu::app {

namespace {

using std::chrono::nanoseconds;

constexpr std::size_t most_queued = 256 * 1024;  // of results, in bytes, before the run waits for their reader
constexpr std::chrono::hours longest_grace{24 * 365};  // that a time point can hold
constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

http_client_options client_options(const fetch_options& options, std::size_t connections) {
  http_client_options client;
  client.connect_timeout = options.connect_timeout;
  client.insecure = options.insecure;
  client.cacert = options.cacert;
  client.proxy = options.proxy;
  client.keep_alive = options.keep_alive;
  client.addresses = options.addresses;
  client.max_body = options.max_body.value_or(options.save.empty() ? default_max_body : no_limit);
  client.limits = {.first_byte = options.first_byte_timeout, .stall = options.stall_timeout};
  if (options.min_speed) {
    client.limits.bytes_per_second = options.min_speed->bytes_per_second;
    client.limits.measured_over = options.min_speed->over;
  }
  client.max_connections = connections;
  client.max_idle_per_origin = static_cast<std::size_t>(most_per_origin(options));
  return client;
}

// A body's file, and its directory if that is not the one of --save.
std::size_t files_each(const fetch_options& options) {
  if (options.save.empty()) return 0;
  return options.save_as && options.save_as->has_directories() ? 2 : 1;
}

// Lowers -j to what the system allows, and says so.
connection_budget budget_for(const fetch_options& options, console& out) {
  const std::size_t limit = raise_descriptor_limit();
  const connection_budget budget = fit_connections(limit, options.concurrency, files_each(options));
  if (budget.concurrency < options.concurrency) {
    out.say("dspu fetch: warning: only " + std::to_string(limit) +
            " files may be open (ulimit -n); --concurrency is " + std::to_string(budget.concurrency) +
            " instead of " + std::to_string(options.concurrency));
  }
  return budget;
}

engine_options limited(const fetch_options& options, const connection_budget& budget,
                       aio::observer* observer) {
  engine_options made = to_engine_options(options);
  made.flow.observer = observer;
  made.flow.scheduling.concurrency = budget.concurrency;
  return made;
}

}  // namespace

fetch_run::fetch_run(const fetch_options& options)
    : options_(options),
      budget_(budget_for(options, console_)),
      input_(to_input_options(options)),
      output_(options),
      ticker_(loop_),
      delivery_(loop_, boost::asio::steady_timer::time_point::max()),
      client_(loop_.get_executor(), client_options(options, budget_.connections)),
      telemetry_(options, loop_.get_executor(), [this] { return gauges(); }),
      engine_(loop_.get_executor(), limited(options, budget_, telemetry_.observer()), source(), client_,
              *this) {
  if (!options.summary_json.empty()) summary_json_.emplace(line_writer::append_to(options.summary_json));
}

// Makes the filter of --resume on first use: the engine wants its source before the constructor's body runs.
request_source& fetch_run::source() {
  if (output_.finished() == nullptr) return input_;
  if (!resumed_) {
    auto list_again = [this](const input_item& item) {
      output_.write_failed({item.id, item.request, item.asked, item.meta, item.line});
    };
    resumed_.emplace(input_, *output_.finished(), std::move(list_again), options_.retry_failed);
  }
  return *resumed_;
}

// Only now, as everything that a run needs is there, may what earlier runs have left go.
void fetch_run::empty_outputs() {
  output_.start();
  if (summary_json_) summary_json_->empty();
  telemetry_.start();
}

void fetch_run::say_what_was_found() {
  if (output_.finished() != nullptr && !options_.quiet) {
    std::string message =
        "dspu fetch: resuming: " + std::to_string(output_.finished()->size()) + " are finished";
    if (output_.torn_bytes() > 0)
      message += "; a torn line of " + std::to_string(output_.torn_bytes()) + " bytes is cut off";
    if (output_.damaged_lines() > 0)
      message += "; " + std::to_string(output_.damaged_lines()) +
                 " lines with NUL bytes (of a power cut?) are taken out and done again";
    console_.say(message);
  }
  if (options_.metrics) console_.say("dspu fetch: metrics at " + telemetry_.metrics_url());
}

int fetch_run::run() {
  empty_outputs();
  say_what_was_found();
  signals_.emplace(loop_.get_executor(), [this](int number) { on_signal(number); });
  console_.attach(loop_.get_executor());
  output_.attach(loop_.get_executor(), [this] { on_delivered(); });
  if (!options_.quiet) show_progress_later();
  boost::asio::co_spawn(loop_, fetch(), [this](std::exception_ptr error) {
    error_ = error;
    close();
  });
  loop_.run();
  console_.clear();
  const int status = end();
  console_.finish(until_interrupted());
  if (error_) std::rethrow_exception(error_);
  return status;
}

boost::asio::awaitable<void> fetch_run::fetch() {
  auto requests = engine_.run();
  co_await std::move(requests);
  if (engine_.out_of_time()) stop(options_.grace);
  auto rest = deliver();
  co_await std::move(rest);
}

// Waits until the results are taken, in a run that is being stopped as long as --grace says.
boost::asio::awaitable<void> fetch_run::deliver() {
  while (true) {
    flush();
    if (output_.queued() == 0) co_return;
    if (delivery_.expiry() <= boost::asio::steady_timer::clock_type::now()) break;
    boost::system::error_code ignored;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ignored);
    co_await delivery_.async_wait(token);
  }
  const std::string problem = "cannot write " + output_.name() + ": it takes nothing; the last results are lost (" +
                              format_bytes(output_.queued()) + ")";
  if (end_.signal == 0) throw io_error(problem);
  console_.say("dspu fetch: " + problem);
}

void fetch_run::on_delivered() {
  if (output_.queued() <= most_queued) engine_.pause(false);
  delivery_.cancel();
}

// On a terminal results and the live line share the screen.
void fetch_run::flush() {
  const bool shared = output_.has_unflushed() && output_.is_terminal();
  const std::string live = shared ? console_.clear() : std::string();
  output_.flush();
  if (!live.empty()) console_.live(live);
  engine_.pause(output_.queued() > most_queued);
}

void fetch_run::stop(nanoseconds grace) {
  const auto now = boost::asio::steady_timer::clock_type::now();
  delivery_.expires_at(std::min(delivery_.expiry(), now + std::min<nanoseconds>(grace, longest_grace)));
  engine_.stop(grace);
}

// For what is written when the loop is over: after a signal it has what is left of --grace.
patience fetch_run::until_interrupted() const { return {signals_->descriptor(), delivery_.expiry()}; }

void fetch_run::close() {
  closed_ = true;
  signals_->close();
  ticker_.cancel();
  client_.close();
  output_.detach();
  console_.detach();
  try {
    telemetry_.stop();
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
}

void fetch_run::on_result(const result_record& record, const http_request& request) {
  summary_.add(record);
  telemetry_.add(record);
  output_.write(record, request);
  if (record.outcome == outcome::invalid_input) {
    end_.wrong_input = true;
    log_.wrong_line(record.error);
    if (options_.strict) stop(options_.grace);
  } else if (!record.ok()) {
    log_.failed(record);
  }
  const bool enough = options_.max_failures && summary_.failed() >= *options_.max_failures;
  if (!enough || engine_.stopped()) return;
  end_.stopped = true;
  console_.say("dspu fetch: " + std::to_string(summary_.failed()) +
               " requests have failed (--max-failures); stopping");
  stop(options_.grace);
}

void fetch_run::on_retry(const job& again, core::duration delay, core::retry_reason reason) {
  log_.retry(again, delay, reason);
}

void fetch_run::on_refusal(const job& again, core::duration delay) {
  log_.refusal(again, delay);
}

void fetch_run::on_pace(std::string_view origin, const pace_report& learnt) {
  log_.pace(origin, learnt);
}

void fetch_run::on_hold(std::string_view origin, core::duration duration) {
  summary_.add_hold();
  log_.hold(origin, duration);
}

void fetch_run::on_breaker(std::string_view origin, core::circuit_transition transition,
                           core::duration open_for) {
  summary_.add_transition(transition);
  log_.breaker(origin, transition, open_for);
}

void fetch_run::on_signal(int number) {
  end_.signal = number;
  if (++signals_seen_ == 1) {
    log_.stopping(engine_.in_flight(), options_.grace);
    stop(options_.grace);
  } else {
    stop(nanoseconds::zero());
  }
}

void fetch_run::show_progress_later() {
  const auto period =
      console_.is_terminal() ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000);
  ticker_.expires_after(period);
  ticker_.async_wait([this](const boost::system::error_code& error) {
    if (error || closed_) return;  // it may have been queued when it was cancelled
    const std::string line = progress_line(view(), console_.has_colour());
    console_.is_terminal() ? console_.live(line) : console_.say("dspu fetch: " + line);
    show_progress_later();
  });
}

progress_view fetch_run::view() {
  progress_view now;
  now.counts = engine_.counts();
  now.expected = source().expected();
  now.expected_is_exact = engine_.input_ended();
  now.in_flight = engine_.in_flight();
  now.origins = engine_.census();
  now.elapsed = engine_.elapsed();
  now.rate = meter_.update(now.counts.done(), now.elapsed);
  now.stopping = engine_.stopped();
  return now;
}

run_gauges fetch_run::gauges() {
  run_gauges now;
  now.progress.counts = engine_.counts();
  now.progress.in_flight = engine_.in_flight();
  now.progress.origins = engine_.census();
  now.waiting = engine_.waiting();
  now.idle_connections = client_.idle_connections();
  return now;
}

int fetch_run::end() {
  if (engine_.out_of_time()) {
    end_.stopped = true;
    console_.say("dspu fetch: stopped after " + format_duration(options_.max_time) + " (--max-time)");
  }
  const std::uint64_t earlier_failures = resumed_ ? output_.finished()->failures() - resumed_->repeated() : 0;
  end_.failures = summary_.failed() + earlier_failures > 0;
  run_facts facts;
  facts.elapsed = engine_.elapsed();
  facts.waits = engine_.waits();
  facts.paces = engine_.paces();
  facts.resumed = resumed_ ? resumed_->skipped() : 0;
  facts.unsent = engine_.counts().unsent;
  facts.exit_status = error_ ? exit_io : exit_status_of(end_);
  if (!options_.quiet) console_.print(summary_.to_text(facts));
  if (options_.print_limits) {
    const std::string limits = options_that_state(facts.paces);
    console_.say(limits.empty() ? "dspu fetch: no limit was found" : limits);
  }
  if (summary_json_) {
    summary_json_->write(summary_.to_json(facts));
    summary_json_->finish(until_interrupted());
  }
  if (telemetry_.unrecorded() > 0)
    console_.say("dspu fetch: warning: " + std::to_string(telemetry_.unrecorded()) +
                 " requests are missing in " + options_.record);
  if (!error_) say_strangers();
  return facts.exit_status;
}

// Results of requests that this input does not hold: it has changed since, or it is another one.
void fetch_run::say_strangers() {
  if (!resumed_ || !engine_.input_ended()) return;
  const std::uint64_t strangers = output_.finished()->size() - resumed_->skipped() - resumed_->repeated();
  if (strangers == 0) return;
  console_.say("dspu fetch: warning: " + std::to_string(strangers) + " results in " + options_.output +
               " belong to no request of this input");
}

}  // namespace dspu::app
