// How many connections the process may have, and what to do if that is fewer than it wants.
#pragma once

#include <cstddef>

namespace dspu::app {

// Raises the soft limit of open files as far as it goes. Returns it.
std::size_t raise_descriptor_limit();

struct connection_budget {
  std::size_t concurrency = 0;
  std::size_t idle = 0;  // connections kept alive beside those
};

// What of `wanted` fits under `limit` open files: idle connections give way first.
connection_budget fit_connections(std::size_t limit, std::size_t wanted);

}  // namespace dspu::app
