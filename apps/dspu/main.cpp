// The `dspu` program: hands the command line to its subcommands.

#include "dspu/console.hpp"
#include "dspu/core/version.hpp"
#include "dspu/demo_command.hpp"
#include "dspu/exit_status.hpp"
#include "dspu/fetch_command.hpp"
#include "dspu/help_formatter.hpp"
#include "dspu/results_command.hpp"
#include "dspu/serve_command.hpp"
#include "dspu/standard_streams.hpp"
#include "dspu/usage_message.hpp"

#include <CLI/CLI.hpp>

#include <exception>
#include <memory>
#include <string>

namespace {

std::string version() {
  return "dspu " + std::to_string(DSPU_VERSION_MAJOR) + "." + std::to_string(DSPU_VERSION_MINOR) + "." +
         std::to_string(DSPU_VERSION_PATCH);
}

}  // namespace

int main(int argc, char** argv) {
  dspu::app::take_closed_standard_streams();
  CLI::App app("dspu: requests that get through, and a server to try them on", "dspu");
  app.formatter(std::make_shared<dspu::app::help_formatter>());
  app.set_version_flag("--version", version());
  app.require_subcommand(1);
  int exit_status = 0;
  dspu::app::add_fetch_command(app, exit_status);
  dspu::app::add_results_command(app, exit_status);
  dspu::app::add_serve_command(app, exit_status);
  dspu::app::add_demo_command(app, exit_status);
  try {
    app.parse(argc, argv);
    return exit_status;
  } catch (const CLI::ParseError& error) {
    // --help and --version arrive here too, with status 0.
    if (error.get_exit_code() == 0) return app.exit(error);
    dspu::app::console().print(dspu::app::usage_message(app, error));
    return dspu::app::exit_usage;
  } catch (const std::exception& error) {
    dspu::app::console().print("dspu: " + std::string(error.what()) + "\n");
    return dspu::app::exit_io;
  }
}
