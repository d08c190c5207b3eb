// `dspu demo`: the main job in one process. Starts the unreliable server with trouble switched on, and fetches a list of
// requests from it with progress and summary.
#pragma once

namespace CLI {
class App;
}

namespace dspu::app {

// Adds the subcommand; `exit_status` must live as long as `parent`.
void add_demo_command(CLI::App& parent, int& exit_status);

}  // namespace dspu::app
