#include "dspu/demo_command.hpp"

#include "dspu/console.hpp"
#include "dspu/exit_status.hpp"
#include "dspu/fetch_command.hpp"
#include "dspu/serve.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

namespace dspu::app {

namespace {

using namespace std::chrono_literals;

struct demo_options {
  std::string input;
  std::string output;
};

// A server that shows every policy at work within some seconds.
serve_options troubled() {
  return {.failure_rate = 0.05,
          .reset_rate = 0.01,
          .truncate_rate = 0.005,
          .failure_statuses = {500, 502},
          .latency = {.kind = latency_spec::shape::lognormal, .p50 = 8ms},
          .outages = {{.from = 3s, .to = 6s}},
          .limit = request_limit{.amount = 300, .burst = 20},
          .sends_retry_after = false};
}

// A client that is not told what the server admits, and gets everything all the same.
fetch_options patient() {
  fetch_options options;
  options.concurrency = 64;
  options.host_concurrency = 64;
  options.max_attempts = 12;
  options.backoff.base_delay = 100ms;
  options.backoff.max_delay = 2s;
  options.verbose = false;
  return options;
}

// The server on a thread of its own, as if it were elsewhere.
class server_thread {
 public:
  server_thread() : server_(loop_.get_executor(), troubled()), thread_([this] { loop_.run(); }) {}
  ~server_thread() {
    server_.stop();
    thread_.join();
  }
  server_thread(const server_thread&) = delete;
  server_thread& operator=(const server_thread&) = delete;

  const unreliable_server& server() const { return server_; }

 private:
  boost::asio::io_context loop_{1};
  unreliable_server server_;
  std::thread thread_;
};

// A copy of the input in which {server} is replaced; gone when the demonstration is over.
class prepared_input {
 public:
  prepared_input(const std::string& from, const std::string& server) {
    std::ifstream in(from);
    if (!in) throw std::runtime_error("cannot read " + from);
    std::string pattern = (std::filesystem::temp_directory_path() / "dspu-demo-XXXXXX").string();
    const int made = ::mkstemp(pattern.data());
    if (made < 0) throw std::runtime_error("cannot create " + pattern);
    ::close(made);
    path_ = pattern;
    std::ofstream out(path_);
    constexpr std::string_view mark = "{server}";
    for (std::string line; std::getline(in, line);) {
      for (auto at = line.find(mark); at != std::string::npos; at = line.find(mark)) line.replace(at, mark.size(), server);
      out << line << '\n';
    }
    if (!out.flush()) throw std::runtime_error("cannot write " + path_.string());
  }
  ~prepared_input() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  prepared_input(const prepared_input&) = delete;
  prepared_input& operator=(const prepared_input&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

int run_demo(const demo_options& asked) {
  try {
    const server_thread elsewhere;
    const prepared_input requests(asked.input, elsewhere.server().url());
    fetch_options options = patient();
    options.inputs = {requests.path()};
    options.output = asked.output;
    console().print("The server at " + elsewhere.server().url() +
                    " fails 5 % of requests, cuts off 1.5 %,\nis gone from second 3 to second 6, and answers 429 to more "
                    "than 300 requests a second,\nwithout a Retry-After: the client has to find that out. Results go to " +
                    asked.output + ".\n");
    const int status = run_fetch(std::move(options));
    const serve_statistics seen = elsewhere.server().statistics();
    console().say("The server saw " + std::to_string(seen.requests) + " requests, at most " +
                  std::to_string(seen.max_in_one_second) + " in one second.");
    return status;
  } catch (const std::exception& error) {
    console().print("dspu demo: " + std::string(error.what()) + "\n");
    return exit_io;
  }
}

}  // namespace

void add_demo_command(CLI::App& parent, int& exit_status) {
  const auto options = std::make_shared<demo_options>();
  CLI::App& app = *parent.add_subcommand("demo", "Fetch a list of requests from a server in trouble");
  app.add_option("INPUT", options->input, "A list as fetch reads it; {server} in it stands for the server")->required();
  app.add_option("-o,--output", options->output, "Where results go, a JSON line each")->required();
  app.callback([options, &exit_status] { exit_status = run_demo(*options); });
}

}  // namespace dspu::app
