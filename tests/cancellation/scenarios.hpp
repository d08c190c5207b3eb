// What the harnesses disturb: every public operation, and nests of them, in tables by what they are about.
#pragma once

#include "cancellation/world.hpp"

#include <span>
#include <stop_token>
#include <string_view>

namespace dspu::aio::proof {

struct scenario {
  const char* name;
  awaitable<void> (*body)(world&);
  // Ends later than it is cancelled: an operation ignores that, or a listener is told to the end.
  bool takes_its_time = false;
  // Leaves work running on purpose: shield.
  bool detaches = false;
  void (*prepare)(world&) = nullptr;
};

// A thread that is blocked in a bridge, while what it waits for runs on the simulator.
struct blocking_scenario {
  const char* name;
  void (*body)(world&, asio::io_context&, std::stop_token);
};

struct scenario_table {
  std::string_view name;
  std::span<const scenario> scenarios;
};

std::span<const scenario_table> scenario_tables();
// Throws: std::invalid_argument if there is no table of that name.
std::span<const scenario> scenarios_of(std::string_view table);
std::span<const blocking_scenario> blocking_scenarios();

}  // namespace dspu::aio::proof
