// Keeps the files of a run apart: an output must not be a file that the run reads, nor another output.
#pragma once

#include "dspu/options.hpp"

namespace dspu::app {

// Compares every file that a run with these options will open, standard streams among them, by device and
// inode; so links and other spellings of a name do not matter. A file that does not exist yet is compared by
// its directory and its name. Opens nothing and changes nothing. Terminals and other character devices may
// serve for anything.
// Throws: usage_error naming the two that are one file.
void check_files_differ(const fetch_options& options);

}  // namespace dspu::app
