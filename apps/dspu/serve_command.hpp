// `dspu serve`: the unreliable server, from the command line.
#pragma once

#include "dspu/serve_options.hpp"

#include <iosfwd>

namespace CLI {
class App;
}

namespace dspu::app {

// Adds the subcommand. When it is chosen, parsing runs it, and `exit_status` (which must live as long as
// `parent`) says how it ended: 0 after SIGINT or SIGTERM, 2 for options that contradict each other, 3 if it
// cannot listen.
void add_serve_command(CLI::App& parent, int& exit_status);

// The subcommand's options alone, bound to `options`, which must live as long as `app`.
void add_serve_options(CLI::App& app, serve_options& options);

// Serves until SIGINT or SIGTERM. Writes one line with the address to `log` as soon as requests can come, and
// the statistics at the end. Returns the exit status.
int run_server(const serve_options& options, std::ostream& log);

}  // namespace dspu::app
