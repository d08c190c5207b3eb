// How many connections the process may have, and what to do if that is fewer than it wants.
#pragma once

#include <cstddef>

namespace dspu::app {

// Raises the soft limit of open files as far as it goes. Returns it.
std::size_t raise_descriptor_limit();

struct connection_budget {
  std::size_t concurrency = 0;
  std::size_t connections = 0;  // in all: those out, and those that idle
};

// What of `wanted` fits under `limit` open files, if each request out may have `files_each` more of them open
// beside its connection (--save). Idle connections count, and give way to those that are needed.
connection_budget fit_connections(std::size_t limit, std::size_t wanted, std::size_t files_each);

}  // namespace dspu::app
