// `dspu fetch`, from the command line.
#pragma once

#include "dspu/fetch_config.hpp"
#include "dspu/options.hpp"

namespace CLI {
class App;
}

namespace dspu::app {

// Adds the subcommand. When it is chosen, parsing runs it, and `exit_status` (which must live as long as
// `parent`) says how it ended.
void add_fetch_command(CLI::App& parent, int& exit_status);

// Runs it. `given`: what the command line says, if there was one; it goes before --config. Returns the exit
// status; what went wrong is on standard error.
int run_fetch(
    fetch_options options, const given_flags& given = [](const std::string&) { return false; });

}  // namespace dspu::app
