// Keeps the files of a run apart: an output must not be a file that the run reads, nor another output.
#pragma once

#include "dspu/file_identity.hpp"
#include "dspu/options.hpp"

#include <vector>

namespace dspu::app {

// Compares every file that a run with these options will open, standard streams among them, by device and
// inode; so links and other spellings of a name do not matter. A file that does not exist yet is compared by
// its directory and its name. Opens nothing and changes nothing. Terminals and other character devices may
// serve for anything.
// Throws: usage_error naming the two that are one file.
void check_files_differ(const fetch_options& options);

// All of these files that exist.
std::vector<file_identity> files_of_run(const fetch_options& options);

}  // namespace dspu::app
