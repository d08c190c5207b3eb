#include "dspu/fetch_command.hpp"

#include "dspu/console.hpp"
#include "dspu/exit_status.hpp"
#include "dspu/failure.hpp"
#include "dspu/fetch_run.hpp"
#include "dspu/plan.hpp"
#include "dspu/printable.hpp"
#include "dspu/run_files.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <memory>
#include <stdexcept>

namespace dspu::app {

namespace {

bool stdin_is_piped() {
  struct stat facts {};
  return ::fstat(STDIN_FILENO, &facts) == 0 &&
         (S_ISFIFO(facts.st_mode) || S_ISREG(facts.st_mode) || S_ISSOCK(facts.st_mode));
}

// Reads all of the input, waiting for it where it comes from a pipe.
plan read_plan(const fetch_options& options) {
  plan made;
  input source(to_input_options(options));
  boost::asio::io_context loop(1);
  input_item item;
  for (auto found = source.next(item); found != request_source::state::end; found = source.next(item)) {
    if (found == request_source::state::item) {
      made.add(item);
      continue;
    }
    std::exception_ptr error;
    boost::asio::co_spawn(loop, source.wait(), [&](std::exception_ptr e) { error = e; });
    loop.restart();
    loop.run();
    if (error) std::rethrow_exception(error);
  }
  return made;
}

void print_problems(const plan& of) {
  console out;
  for (const std::string& problem : of.problems()) out.say("dspu fetch: " + problem);
}

int failed(const std::exception& error, int status) {
  console().print("dspu fetch: " + std::string(error.what()) + "\n");
  return status;
}

int dry_run(const fetch_options& options) {
  const plan made = read_plan(options);
  print_problems(made);
  std::cout << printable(made.to_text(options)) << std::flush;
  if (!std::cout) throw io_error("cannot write standard output");
  return made.problems().empty() ? exit_ok : exit_usage;
}

// With --strict nothing is sent if a line is wrong. What comes from a pipe can be read only once: there, the
// run stops at the first wrong line.
bool input_is_right(const fetch_options& options) {
  if (!options.strict || std::ranges::find(options.inputs, "-") != options.inputs.end()) return true;
  const plan made = read_plan(options);
  print_problems(made);
  return made.problems().empty();
}

int checked_run(fetch_options options) {
  check(options, stdin_is_piped());
  check_files_differ(options);
  read_body(options);
  if (options.dry_run) return dry_run(options);
  if (!input_is_right(options)) return exit_usage;
  return fetch_run(options).run();
}

}  // namespace

int run_fetch(fetch_options options, const given_flags& given) {
  // A reader that goes away, or a file that may grow no more, is an error of write() and not the end of the
  // process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    if (!options.config.empty()) apply_config(options.config, options, given);
    return checked_run(std::move(options));
  } catch (const usage_error& error) {
    return failed(error, exit_usage);
  } catch (const std::invalid_argument& error) {
    return failed(error, exit_usage);
  } catch (const std::exception& error) {
    return failed(error, exit_io);
  }
}

void add_fetch_command(CLI::App& parent, int& exit_status) {
  const auto options = std::make_shared<fetch_options>();
  CLI::App& app = *parent.add_subcommand("fetch", "Fetch many URLs, politely and to the end");
  add_fetch_options(app, *options);
  app.footer(
      "Durations carry their unit (250ms, 30s, 1m30s). Exit status: 0 all ok, 1 some request failed, 2 usage "
      "or input, 3 our own output or disk, 4 stopped by --max-time or --max-failures, 130/143 interrupted.");
  app.callback([options, &app, &exit_status] {
    const auto given = [&app](const std::string& flag) { return app.count(flag) > 0; };
    exit_status = run_fetch(*options, given);
  });
}

}  // namespace dspu::app
