#include "dspu/results_command.hpp"

#include "dspu/exit_status.hpp"
#include "dspu/failure.hpp"
#include "dspu/results_file.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <unordered_map>

namespace dspu::app {

namespace {

constexpr std::size_t written_at_once = 64 * 1024;

struct by_bits {
  std::size_t operator()(const digest& id) const { return id.high; }
};

struct newest {
  std::size_t file = 0;
  std::uint64_t line = 0;
  bool ok = false;
};

using newest_lines = std::unordered_map<digest, newest, by_bits>;

result_facts facts_of(const std::string& file, std::string_view line, std::uint64_t number) {
  try {
    return read_result(line);
  } catch (const std::invalid_argument& error) {
    throw usage_error(file + ":" + std::to_string(number) + ": " + error.what());
  }
}

newest_lines find_newest(const std::vector<std::string>& files) {
  newest_lines found;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for_each_result(files[i], [&](std::string_view line, std::uint64_t number) {
      const result_facts facts = facts_of(files[i], line, number);
      newest& known = found[facts.id];
      if (facts.ok || !known.ok) known = {i, number, facts.ok};
    });
  }
  return found;
}

// Waits for the reader of a pipe.
void write_all(line_writer& out, std::string& lines) {
  out.write(lines);
  out.finish();
  lines.clear();
}

int run_results(const std::vector<std::string>& files, bool failed_only) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an error of write()
  try {
    line_writer out = line_writer::standard_output();
    write_newest_results(files, failed_only, out);
    return exit_ok;
  } catch (const usage_error& error) {
    std::cerr << "dspu results: " << error.what() << "\n";
    return exit_usage;
  } catch (const std::exception& error) {
    std::cerr << "dspu results: " << error.what() << "\n";
    return exit_io;
  }
}

}  // namespace

void write_newest_results(const std::vector<std::string>& files, bool failed_only, line_writer& out) {
  const newest_lines counts = find_newest(files);
  std::string unwritten;
  for (std::size_t i = 0; i < files.size(); ++i) {
    for_each_result(files[i], [&](std::string_view line, std::uint64_t number) {
      const auto known = counts.find(facts_of(files[i], line, number).id);
      if (known == counts.end()) return;  // a run has added it meanwhile
      const newest& counted = known->second;
      if (counted.file != i || counted.line != number || (failed_only && counted.ok)) return;
      unwritten.append(line).append("\n");
      if (unwritten.size() >= written_at_once) write_all(out, unwritten);
    });
  }
  write_all(out, unwritten);
}

void add_results_command(CLI::App& parent, int& exit_status) {
  struct arguments {
    std::vector<std::string> files;
    bool failed_only = false;
  };
  const auto given = std::make_shared<arguments>();
  CLI::App& app = *parent.add_subcommand("results", "Print the newest result of each request");
  app.add_option("FILE", given->files, "Results of dspu fetch")->type_name("")->required();
  app.add_flag("--failed", given->failed_only, "Only of requests that have no good result");
  app.footer(
      "A good line wins over all that failed, else the last one. Exit status: 0, 2 a file is none of "
      "results, "
      "3 reading or writing failed.");
  app.callback([given, &exit_status] { exit_status = run_results(given->files, given->failed_only); });
}

}  // namespace dspu::app
