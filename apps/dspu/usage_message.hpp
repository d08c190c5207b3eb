// What is said of a command line that cannot be carried out.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace dspu::app {

// "dspu fetch: unknown option --retry; did you mean --retry-on or --retry-unsafe?", and where help
// is to be had: whole lines. Requires: `root` has thrown `error` when it parsed a command line.
std::string usage_message(const CLI::App& root, const CLI::ParseError& error);

}  // namespace dspu::app
