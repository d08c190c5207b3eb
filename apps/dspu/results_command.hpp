// `dspu results`: of files of results, the line of each request that counts.
#pragma once

#include "dspu/line_writer.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace dspu::app {

// Adds the subcommand. When it is chosen, parsing runs it, and `exit_status` (which must live as long as
// `parent`) says how it ended: 0, 2 for a file that is none of results, 3 if reading or writing failed.
void add_results_command(CLI::App& parent, int& exit_status);

// Writes one line for each id that the files have: the last good one, or, if none is good, the last one. In
// the order of the files. `failed_only`: only of ids without a good line. Throws: usage_error, io_error.
void write_newest_results(const std::vector<std::string>& files, bool failed_only, line_writer& out);

}  // namespace dspu::app
